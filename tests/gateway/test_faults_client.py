"""Clients that leave, stall or hurry: the fault list's first part, against the real process."""

import json
import socket
import threading
import time
from random import Random

import pytest

from tests.gateway.process import until
from tests.gateway.scripted_engine import DONE, END, SSE_HEAD, chunk, event
from tests.gateway.stand import SERVED, Stand, post

pytestmark = pytest.mark.usefixtures("stand")
HANG = [["hang"]]
ONE_EVENT = [["send", SSE_HEAD], ["send", chunk(event("a"))]]


def engine_saw_the_close(stand: Stand, within_s: float = 1.0) -> None:
    until(lambda: stand.engine.seen[0].closed_s is not None, within_s, "the engine saw the close")


@pytest.mark.fault(1)
def test_reset_within_the_head(stand: Stand) -> None:
    """A reset within the request head: nothing is admitted and nothing counted."""
    client = stand.client()
    client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: ga")
    client.reset()
    time.sleep(0.05)
    assert stand.outcomes() == {}
    assert not stand.engine.seen


@pytest.mark.fault(2)
def test_reset_within_the_body(stand: Stand) -> None:
    """A reset within the body: no slot was taken, the outcome is client_abort."""
    client = stand.client()
    client.send(post({"script": HANG})[:-5])
    until(lambda: stand.gateway.state()["in_flight"] == 1)
    assert stand.gateway.state()["active"] == 0
    client.reset()
    stand.ended(client_abort=1)
    assert not stand.engine.seen


@pytest.mark.fault(3)
def test_half_close_counts_as_gone(stand: Stand) -> None:
    """A client that closes its sending side after the request counts as gone, and the engine is told."""
    client = stand.sent({"script": HANG})
    stand.engine_has(1)
    client.socket.shutdown(socket.SHUT_WR)
    engine_saw_the_close(stand)
    stand.ended(client_abort=1)


@pytest.mark.fault(4)
def test_reset_while_queued(stand: Stand) -> None:
    """A departed waiter frees its place, never reaches the engine; the others keep their order."""
    stand.fill()
    gone = stand.sent({"user": "gone", "script": SERVED})
    until(lambda: stand.gateway.state()["queued"] == 1)
    stays = stand.sent({"user": "stays", "script": SERVED})
    until(lambda: stand.gateway.state()["queued"] == 2)
    gone.reset()
    until(lambda: stand.gateway.state()["queued"] == 1, 1.0)
    stand.release()
    assert stays.answer()[0] == 200
    assert [seen.fields.get("user") for seen in stand.engine.seen] == [None, None, "stays"]
    stand.ended(client_abort=1, ok=3)


@pytest.mark.fault(5)
def test_reset_in_the_tick_of_the_grant(stand: Stand) -> None:
    """Waiters that leave while their slot is handed over return it exactly once."""
    random = Random(5)
    for round_number in range(20):
        gate = f"tick{round_number}"
        held = [stand.sent({"script": [["gate", gate], *SERVED]}) for _ in range(2)]
        until(lambda: stand.gateway.state()["active"] == 2)
        waiting = [stand.sent({"script": SERVED}) for _ in range(2)]
        until(lambda: stand.gateway.state()["queued"] == 2)
        stand.engine.open_gate(gate)
        time.sleep(random.random() * 0.002)
        for client in waiting:
            client.reset()
        for client in held:
            assert client.answer()[0] == 200
            client.close()
        until(lambda: stand.gateway.state()["in_flight"] == 0, 2)
    assert sum(stand.outcomes().values()) == 80


@pytest.mark.fault(6)
def test_reset_before_the_engine_accepts(stand: Stand) -> None:
    """A client that leaves while the gateway still connects: the slot comes back."""
    from tests.gateway.process import gateway

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        with gateway(f"http://127.0.0.1:{deaf.getsockname()[1]}", connect_timeout_s=20) as other:
            connecting = Stand(other, stand.engine).sent({})
            until(lambda: other.state()["active"] == 1)
            connecting.reset()
            until(lambda: other.state()["active"] == 0, 1.0)
            assert other.state()["outcomes"]["client_abort"] == 1
        for filler in fillers:
            filler.close()


@pytest.mark.fault(7)
@pytest.mark.parametrize("stream", [False, True])
def test_reset_before_the_engines_head(stand: Stand, stream: bool) -> None:
    """A client that leaves before the engine answered: the engine sees the
    close within 100 ms, streamed or not.
    """
    client = stand.sent({"stream": stream, "script": HANG})
    stand.engine_has(1)
    left_s = time.monotonic()
    client.reset()
    engine_saw_the_close(stand)
    closed_s = stand.engine.seen[0].closed_s
    assert closed_s is not None
    assert closed_s - left_s < 0.5, "100 ms is promised; five times that is allowed on a busy machine"
    stand.ended(client_abort=1)


@pytest.mark.fault(8)
def test_reset_between_head_and_first_event(stand: Stand) -> None:
    """A client that leaves after the engine's head and before its first event."""
    client = stand.sent({"stream": True, "script": [["send", SSE_HEAD], ["hang"]]})
    stand.engine_has(1)
    time.sleep(0.05)
    client.reset()
    engine_saw_the_close(stand)
    stand.ended(client_abort=1)


@pytest.mark.fault(9, 10)
def test_reset_between_events(stand: Stand) -> None:
    """A client that leaves between two events, or after the last content and before [DONE]: client_abort."""
    client = stand.sent({"stream": True, "script": [*ONE_EVENT, ["hang"]]})
    client.read_until(b'"a"')
    client.reset()
    engine_saw_the_close(stand)
    stand.ended(client_abort=1)


@pytest.mark.fault(11)
def test_reset_after_done(stand: Stand) -> None:
    """A client that leaves after [DONE] has all it wanted: ok, even if the engine never closes."""
    script = [*ONE_EVENT, ["send", chunk(DONE)], ["hang"]]
    client = stand.sent({"stream": True, "script": script})
    client.read_until(b"[DONE]")
    client.reset()
    stand.ended(ok=1)


def test_an_engine_that_stays_after_done(stand: Stand) -> None:
    """An engine that sends [DONE] and does not end its answer: the client's
    answer ends well, the slot comes back.
    """
    client = stand.sent({"stream": True, "script": [*ONE_EVENT, ["send", chunk(DONE)], ["hang"]]})
    assert client.read_until(b"0\r\n\r\n", 3).count(b"[DONE]") == 1
    client.send(post({}))
    assert client.answer()[0] == 200
    stand.ended(ok=2)


@pytest.mark.fault(13)
def test_a_reader_that_stops(stand: Stand) -> None:
    """A client that stops reading is dropped after STALL_TIMEOUT_S, and the engine with it."""
    big = chunk(event("x" * 60_000))
    script = [["send", SSE_HEAD], ["repeat", 300, big], ["hang"]]
    client = stand.client(receive_buffer=4096)
    client.send(post({"stream": True, "script": script}))
    client.read_until(b"xxxx")
    stand.ended(client_abort=1)


@pytest.mark.fault(13)
def test_a_slow_reader_is_bounded_by_the_whole_request(stand: Stand) -> None:
    """A client that reads a little now and then ends with REQUEST_TIMEOUT_S, not later."""
    big = chunk(event("x" * 60_000))
    script = [["send", SSE_HEAD], ["repeat", 300, big], ["hang"]]
    client = stand.client(receive_buffer=4096)
    client.send(post({"stream": True, "script": script}))
    deadline_s = time.monotonic() + 4.5
    while stand.outcomes() == {} and time.monotonic() < deadline_s:
        client.socket.settimeout(0.2)
        try:
            client.socket.recv(4096)
        except OSError:
            break
        time.sleep(0.1)
    until(lambda: sum(stand.outcomes().values()) == 1, 2)


@pytest.mark.fault(14)
def test_a_storm_of_aborts(stand: Stand) -> None:
    """150 clients that leave at random moments: nothing leaks, the limit holds throughout."""
    abort_storm(stand, 150, seed=14)


@pytest.mark.prove
@pytest.mark.fault(14)
def test_a_thousand_aborts(stand: Stand) -> None:
    """The same with 1,000 clients."""
    abort_storm(stand, 1000, seed=15)


def abort_storm(stand: Stand, clients: int, seed: int) -> None:
    random = Random(seed)
    script = [["wait", 0.005], *ONE_EVENT, ["wait", 0.01], ["send", chunk(event("b") + DONE)], ["send", END]]
    request = post({"stream": True, "script": script})

    def one(delay_s: float, cut: int) -> None:
        client = stand.client()
        client.send(request[:cut])
        time.sleep(delay_s)
        client.reset()

    threads = []
    for _ in range(clients):
        cut = len(request) if random.random() < 0.9 else random.randrange(20, len(request))
        thread = threading.Thread(target=one, args=(random.random() * 0.06, cut))
        thread.start()
        threads.append(thread)
        time.sleep(0.002)
    for thread in threads:
        thread.join()
    until(lambda: stand.gateway.state()["in_flight"] == 0, 5)
    assert stand.engine.peak <= 2
    assert sum(stand.outcomes().values()) <= clients


@pytest.mark.fault(15)
def test_pipelined_requests_are_not_mixed(stand: Stand) -> None:
    """Of two pipelined requests the first is answered, then the connection closes."""
    client = stand.client()
    client.send(post({"user": "first"}) + post({"user": "second"}))
    everything = client.read_to_end()
    assert everything.count(b"HTTP/1.1 200") == 1
    assert [seen.fields["user"] for seen in stand.engine.seen] == ["first"]
    stand.ended(ok=1)


def test_two_requests_on_one_connection(stand: Stand) -> None:
    """Keep-alive works: one after the other, both answered."""
    client = stand.client()
    for _ in range(2):
        client.send(post({}))
        status, _, body = client.answer()
        assert status == 200
        assert json.loads(body)["choices"]
