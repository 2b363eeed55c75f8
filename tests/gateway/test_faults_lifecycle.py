"""Starting, stopping, changing and standing still: the fault list's last part, against the real process."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.process import ROOT, GatewayProcess, free_port, gateway, until
from tests.gateway.scripted_engine import DONE, END, SSE_HEAD, ScriptedEngine, chunk, event
from tests.gateway.stand import SERVED, Raw, Stand, post

GATED_STREAM: list[Any] = [
    ["send", SSE_HEAD],
    ["send", chunk(event("a"))],
    ["gate", "go"],
    ["send", chunk(event("b") + DONE) + END],
]


@contextlib.contextmanager
def busy(running: GatewayProcess) -> Iterator[tuple[Raw, Raw]]:
    """One stream that has begun and one request that waits behind it."""
    with contextlib.closing(Raw(running.port)) as streaming, contextlib.closing(Raw(running.port)) as waiting:
        streaming.send(post({"stream": True, "script": GATED_STREAM}))
        streaming.read_until(b'"a"')
        waiting.send(post({"user": "waits"}))
        until(lambda: running.state()["queued"] == 1)
        yield streaming, waiting


@pytest.mark.fault(68)
def test_sigterm_while_streaming(engine: ScriptedEngine) -> None:
    """SIGTERM: not ready at once, the listener stays, those who wait get 503
    with a wait, streams finish, status 0.
    """
    with (
        gateway(engine.url, max_active=1, drain_delay_s=0.5, drain_timeout_s=20) as running,
        busy(running) as (streaming, waiting),
    ):
        running.popen.terminate()
        status, headers, body = waiting.answer()
        assert (status, headers["x-gateway-outcome"]) == (503, "draining")
        assert int(headers["retry-after"]) >= 1
        assert json.loads(body)["error"]["retry_after_s"] > 0
        assert running.get("/ready")[0] == 503
        assert running.get("/health")[0] == 200
        assert running.chat()[0] == 503
        time.sleep(0.7)
        engine.open_gate("go")
        assert b"[DONE]" in streaming.read_to_end()
        assert running.popen.wait(10) == 0


@pytest.mark.fault(68)
def test_a_stream_longer_than_the_drain(engine: ScriptedEngine) -> None:
    """What still runs after DRAIN_TIMEOUT_S ends with one error event; the engine is told; status 0."""
    with (
        gateway(engine.url, max_active=1, drain_timeout_s=0.5) as running,
        busy(running) as (streaming, _),
    ):
        running.popen.terminate()
        rest = streaming.read_to_end()
        assert rest.count(b'"error"') == 1
        assert b"[DONE]" not in rest
        assert running.popen.wait(10) == 0
        until(lambda: engine.running == 0, 2)


@pytest.mark.fault(69)
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal(engine: ScriptedEngine, second: signal.Signals) -> None:
    """A second signal ends the drain at once, and the engine is still told."""
    with gateway(engine.url, max_active=1, drain_timeout_s=60) as running, busy(running) as (streaming, _):
        running.popen.terminate()
        until(lambda: running.get("/ready")[0] == 503)
        running.popen.send_signal(second)
        assert b'"error"' in streaming.read_to_end()
        assert running.popen.wait(10) == 0
        until(lambda: engine.running == 0, 2)


@pytest.mark.fault(70)
def test_sigkill_under_load(engine: ScriptedEngine) -> None:
    """A killed gateway leaves nothing behind: the engine sees the close, the
    next one binds and starts from zero.
    """
    port = free_port()
    with gateway(engine.url, max_active=1, gateway_port=port) as running, busy(running):
        running.popen.kill()
        running.popen.wait(10)
        until(lambda: engine.running == 0, 2)
        with gateway(engine.url, max_active=1, gateway_port=port) as again:
            assert again.chat()[0] == 200
            assert again.state()["arrived"] == 1


@pytest.mark.fault(71)
def test_a_restart_under_load(engine: ScriptedEngine) -> None:
    """A gateway replaced under load: with a client that retries, no request fails."""
    port, failures, done = free_port(), [], threading.Event()

    def ask() -> bool:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/chat/completions",
            b'{"messages":[]}',
            {"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def client() -> None:
        while not done.is_set():
            deadline_s = time.monotonic() + 15
            while not ask():
                if time.monotonic() > deadline_s:
                    failures.append(1)
                    return
                time.sleep(0.05)

    engine.service_s = 0.02
    with gateway(engine.url, max_active=4, gateway_port=port) as first:
        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(engine.seen) > 20)
        first.popen.terminate()
        assert first.popen.wait(10) == 0
        assert not any(seen.closed_s for seen in engine.seen), "a running request was cut"
        with gateway(engine.url, max_active=4, gateway_port=port):
            served = len(engine.seen)
            until(lambda: len(engine.seen) > served + 20, 15)
            done.set()
            for thread in threads:
                thread.join(20)
    assert not failures


@pytest.mark.fault(74)
def test_live_changes_under_load(engine: ScriptedEngine) -> None:
    """8 → 2 → 8, a shorter queue, the other mode, under load: nobody running
    is killed, every step is on record.
    """
    engine.service_s = 0.01
    done = threading.Event()
    statuses: list[int] = []
    with gateway(engine.url, max_active=8, queue_max=20) as running:

        def client() -> None:
            while not done.is_set():
                statuses.append(running.chat()[0])

        threads = [threading.Thread(target=client) for _ in range(12)]
        for thread in threads:
            thread.start()
        for step in ({"max_active": 2}, {"queue_max": 1}, {"queue_mode": "reject"}, {"queue_mode": "queue"}):
            running.limits(**step)
            time.sleep(0.1)
        engine.forget_peak()
        time.sleep(0.2)
        assert engine.peak <= 2
        running.limits(max_active=8, queue_max=20)
        until(lambda: engine.peak > 2)
        done.set()
        for thread in threads:
            thread.join(20)
        assert set(statuses) <= {200, 429}
        assert not any(seen.closed_s for seen in engine.seen)
        assert running.metric("gateway_limit_changes_total") == 5
        assert running.log().count('"limits changed"') == 5
        assert running.state()["version"] == 6


@pytest.mark.fault(74)
def test_growth_wakes_those_who_wait(stand: Stand) -> None:
    """A larger MAX_ACTIVE starts waiters at once; a running request keeps its slot when it shrinks."""
    stand.fill()
    waiting = stand.sent({"script": [["gate", stand.gate], *SERVED]})
    until(lambda: stand.gateway.state()["queued"] == 1)
    try:
        stand.gateway.limits(max_active=3)
        until(lambda: stand.gateway.state()["active"] == 3, 1)
        stand.gateway.limits(max_active=1)
        assert stand.gateway.state()["active"] == 3
        stand.release()
        assert waiting.answer()[0] == 200
    finally:
        stand.gateway.limits(max_active=2)
    stand.engine.forget_peak()


@pytest.mark.fault(75)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MAX_ACTIVE", "0"),
        ("MAX_ACTIVE", "-1"),
        ("MAX_ACTIVE", "two"),
        ("QUEUE_MAX", "-1"),
        ("QUEUE_TIMEOUT_S", "nan"),
        ("QUEUE_TIMEOUT_S", "0"),
        ("QUEUE_MODE", "rejct"),
        ("QUEUE_ORDER", "random"),
        ("REQUEST_TIMEOUT_S", "3601"),
        ("VLLM_BASE_URL", "localhost:8000"),
        ("GATEWAY_PORT", "99999"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_setting(key: str, value: str) -> None:
    """A setting that cannot be meant: exit status 2 and one sentence with key, value and what is allowed."""
    env = {"PATH": os.environ["PATH"], key: value}
    ended = subprocess.run(
        [sys.executable, "-m", "gateway"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert key in ended.stderr
    assert value in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.fault(75)
@pytest.mark.parametrize(
    "change",
    [
        {"max_active": 0},
        {"max_active": "4"},
        {"max_active": True},
        {"queue_timeout_s": -1},
        {"queue_timeout_s": 10_000},
        {"queue_mode": "rejct"},
        {"max_activ": 3},
        {"version": 9},
        {"request_timeout_s": 1},
        [],
    ],
)
def test_a_bad_live_change(stand: Stand, change: Any) -> None:
    """A bad change is a 400 that names it; the limits in force stay."""
    before = stand.gateway.get("/admin/limits")[2]
    status, _, body = stand.gateway.ask("PUT", "/admin/limits", change)
    assert status == 400
    assert all(key in json.loads(body)["error"]["message"] for key in change)
    assert stand.gateway.get("/admin/limits")[2] == before


@pytest.mark.fault(76)
def test_scrapes_in_a_row(stand: Stand) -> None:
    """Two hundred scrapes in a row, and one that stops reading, do not disturb requests."""
    slow = stand.client(receive_buffer=1024)
    slow.send(b"GET /metrics HTTP/1.1\r\nhost: g\r\n\r\n" * 1)
    started_s = time.monotonic()
    for _ in range(200):
        assert stand.gateway.get("/metrics")[0] == 200
    assert stand.gateway.chat()[0] == 200
    assert time.monotonic() - started_s < 20


@pytest.mark.fault(100)
def test_each_process_has_an_id_of_its_own(engine: ScriptedEngine) -> None:
    """`gateway_instance_info` keeps its id as long as the process lives, and no other process has it."""
    ids = []
    for _ in range(2):
        with gateway(engine.url) as running:
            pages = [running.get("/metrics")[2].decode() for _ in range(2)]
            line = re.compile(r'^gateway_instance_info\{id="([0-9a-f]{16})"\} 1$', re.MULTILINE)
            first, second = (line.findall(page) for page in pages)
            assert first == second
            ids += first
    assert len(set(ids)) == 2


@pytest.mark.fault(80)
@pytest.mark.parametrize("how", [["--workers", "2"], []])
def test_two_workers(how: list[str]) -> None:
    """More than one worker is refused, with the reason, whether asked by flag or by WEB_CONCURRENCY."""
    env = {"PATH": os.environ["PATH"], **({} if how else {"WEB_CONCURRENCY": "2"})}
    ended = subprocess.run(
        [sys.executable, "-m", "gateway", *how], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "own MAX_ACTIVE" in ended.stderr


@pytest.mark.fault(81)
def test_the_queue_timeout_at_the_moment_of_a_grant(engine: ScriptedEngine) -> None:
    """Waiters whose patience ends just as a slot comes free get one answer each, and no slot is lost."""
    with gateway(engine.url, max_active=1, queue_max=50, queue_timeout_s=0.1) as running:
        for _ in range(10):
            clients = [Raw(running.port) for _ in range(5)]
            for client in clients:
                client.send(post({"service_s": 0.1}))
            statuses = sorted(client.answer()[0] for client in clients)
            assert set(statuses) <= {200, 503}
            assert 200 in statuses
            for client in clients:
                client.close()
        state = until(lambda: (state := running.state())["in_flight"] == 0 and state)
        assert (state["active"], state["queued"]) == (0, 0)
        assert engine.peak == 1
        assert state["outcomes"]["ok"] + state["outcomes"]["queue_timeout"] == 50


def test_a_queue_timeout_is_a_503_in_time(stand: Stand) -> None:
    """QUEUE_TIMEOUT_S ends a wait with 503 and a computed wait, and the header says how long it took."""
    stand.fill()
    started_s = time.monotonic()
    status, headers, _ = stand.gateway.chat(user="waits")
    assert 1.4 < time.monotonic() - started_s < 2.9
    assert (status, headers["x-gateway-outcome"]) == (503, "queue_timeout")
    assert 1500 <= float(headers["server-timing"].removeprefix("queue;dur=")) < 2900
    assert int(headers["retry-after"]) >= 1
    stand.release()


def test_full_and_reject_mode_are_429(stand: Stand) -> None:
    """A full queue and reject mode: 429 at once, with the wait in both headers and in the body."""
    stand.fill()
    try:
        for limits, outcome in (
            ({"queue_max": 0}, "rejected_full"),
            ({"queue_mode": "reject"}, "rejected_mode"),
        ):
            stand.gateway.limits(**limits)
            status, headers, body = stand.gateway.chat()
            error = json.loads(body)["error"]
            assert (status, headers["x-gateway-outcome"], error["code"]) == (429, outcome, outcome)
            assert 0 < int(headers["retry-after-ms"]) <= 120_000
            assert int(headers["retry-after"]) <= 120
            assert error["retry_after_s"] <= 120
            assert headers["server-timing"] == "queue;dur=0.000"
            assert "x-request-id" in headers
            assert "x-gateway-limits-version" in headers
    finally:
        stand.gateway.limits(queue_max=2, queue_mode="queue")
    stand.release()


def test_keys_and_tokens(engine: ScriptedEngine) -> None:
    """With keys set, clients need one; with a token set, /admin needs it;
    the engine never sees the client's key.
    """
    with gateway(engine.url, gateway_api_keys="k1,k2", gateway_admin_token="secret") as running:
        assert running.chat()[0] == 401
        body: dict[str, list[str]] = {"messages": []}
        status, headers, _ = running.ask("POST", "/v1/chat/completions", body, {"authorization": "Bearer k2"})
        assert status == 200
        assert "authorization" not in engine.seen[0].headers
        assert running.get("/v1/models")[0] == 401
        status, headers, _ = running.get("/admin/limits")
        assert (status, headers["x-gateway-outcome"]) == (401, "unauthorized")
        allowed = {"authorization": "Bearer secret"}
        assert running.ask("GET", "/admin/limits", None, allowed)[0] == 200
        assert running.ask("GET", "/admin/state", None, {"authorization": "Bearer k1"})[0] == 401


def test_admin_is_off_beyond_loopback_without_a_token(engine: ScriptedEngine) -> None:
    """Others can reach the bind and no token is set: /admin answers 403."""
    with gateway(engine.url, gateway_host="0.0.0.0") as running:
        assert running.get("/admin/limits")[0] == 403
        assert running.chat()[0] == 200


def test_a_port_in_use(engine: ScriptedEngine) -> None:
    """The address is taken: exit status 1, one sentence, no traceback."""
    with gateway(engine.url) as running:
        env = {"PATH": os.environ["PATH"], "GATEWAY_PORT": str(running.port)}
        ended = subprocess.run(
            [sys.executable, "-m", "gateway"], cwd=ROOT, env=env, capture_output=True, text=True
        )
        assert ended.returncode == 1
        assert f"127.0.0.1:{running.port}" in ended.stderr
        assert "Traceback" not in ended.stderr
