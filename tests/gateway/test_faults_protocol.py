"""Attacks on the protocol and on resources: one request seen at most, bounded memory, bounded time."""

import json
import socket
import time

import pytest

from tests.gateway.process import gateway, until
from tests.gateway.scripted_engine import ScriptedEngine
from tests.gateway.stand import Raw, Stand, post

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\n"
JSON = b"content-type: application/json\r\n"
BODY = b'{"messages":[]}'
SMUGGLED = post({"user": "smuggled"})

SMUGGLING = {
    "te+cl": b"host: g\r\n" + JSON + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two cl": b"host: g\r\n" + JSON + b"content-length: 15\r\ncontent-length: 3\r\n\r\n" + BODY,
    "cl +3": b"host: g\r\n" + JSON + b"content-length: +15\r\n\r\n" + BODY,
    "te x": b"host: g\r\n" + JSON + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "te space": b"host: g\r\n" + JSON + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "bare lf": b"host: g\n" + JSON + b"content-length: 15\r\n\r\n" + BODY,
    "folded": b"host: g\r\nx: a\r\n b\r\n" + JSON + b"content-length: 15\r\n\r\n" + BODY,
    "nul": b"host: g\r\nx: a\x00b\r\n" + JSON + b"content-length: 15\r\n\r\n" + BODY,
    "no host": JSON + b"content-length: 15\r\n\r\n" + BODY,
    "two hosts": b"host: g\r\nhost: h\r\n" + JSON + b"content-length: 15\r\n\r\n" + BODY,
    "bad host": b"host: a b/c\r\n" + JSON + b"content-length: 15\r\n\r\n" + BODY,
}


@pytest.mark.fault(56, 57)
@pytest.mark.parametrize("case", SMUGGLING)
def test_ambiguous_requests(stand: Stand, case: str) -> None:
    """Whatever two parsers could read in two ways: 400 and close; the request behind it is never seen."""
    client = stand.client()
    client.send(HEAD + SMUGGLING[case] + SMUGGLED)
    status, headers, body = client.answer()
    assert (status, headers["connection"]) == (400, "close")
    assert json.loads(body)["error"]["code"] == "invalid"
    assert client.read_to_end() == b""
    assert not stand.engine.seen


@pytest.mark.fault(56)
@pytest.mark.parametrize("size", [b"fffffffffffffffff", b"zz", b"5;x\n", b"-1"])
def test_broken_chunks_of_a_body(stand: Stand, size: bytes) -> None:
    """A chunk size that overflows, is none, or ends in a bare LF: 400 and close, no slot was held."""
    client = stand.client()
    client.send(
        HEAD
        + b"host: g\r\n"
        + JSON
        + b"transfer-encoding: chunked\r\n\r\n"
        + size
        + b"\r\nhello\r\n0\r\n\r\n"
    )
    status, _, _ = client.answer()
    assert status == 400
    assert client.read_to_end() == b""
    assert not stand.engine.seen
    stand.ended(invalid=1)


@pytest.mark.fault(58)
@pytest.mark.parametrize(
    "fields",
    [
        b"".join(b"x-%d: y\r\n" % i for i in range(5000)),
        b"x: " + b"y" * 1_600_000 + b"\r\n",
        b"x: " + b"y" * 40_000,
    ],
    ids=["5000 fields", "1.6 MB in one", "40 kB, never complete"],
)
def test_heads_that_are_too_large(stand: Stand, fields: bytes) -> None:
    """Too many fields, or too many bytes, complete or not: 431 and close."""
    client = stand.client()
    try:
        client.send(HEAD + b"host: g\r\n" + fields)
    except ConnectionError:
        pytest.fail("closed without lingering")
    assert client.answer()[0] == 431


@pytest.mark.fault(59)
def test_a_target_that_is_too_long(stand: Stand) -> None:
    """A request target of 20 kB: 414."""
    client = stand.client()
    client.send(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: g\r\n\r\n")
    assert client.answer()[0] == 414


@pytest.mark.fault(60)
def test_a_slow_head(stand: Stand) -> None:
    """A head sent byte by byte is cut off at the header deadline, however steadily it comes."""
    client = stand.client()
    started_s = time.monotonic()
    for byte in b"GET /health HTTP/1.1\r\nhost: gggggggggggggggggggggggggggggggg\r\n":
        try:
            client.send(bytes([byte]))
        except ConnectionError:
            break
        time.sleep(0.05)
        if time.monotonic() - started_s > 1.2:
            break
    assert client.answer()[0] == 408
    assert time.monotonic() - started_s < 3


@pytest.mark.fault(60)
def test_a_slow_head_after_an_answer(stand: Stand) -> None:
    """The deadline holds for every request of a connection, not only for its first."""
    client = stand.client()
    client.send(post({}))
    assert client.answer()[0] == 200
    client.send(b"GET /health HT")
    assert client.answer(3)[0] == 408


@pytest.mark.fault(61)
def test_a_slow_body(stand: Stand) -> None:
    """A body that does not come: 408 at the body deadline; no slot was held meanwhile."""
    client = stand.client()
    client.send(post({"user": "slow"})[:-3])
    until(lambda: stand.gateway.state()["in_flight"] == 1)
    assert stand.gateway.state()["active"] == 0
    assert client.answer()[0] == 408
    stand.ended(invalid=1)


@pytest.mark.fault(61)
def test_a_slow_body_at_the_admin_api(stand: Stand) -> None:
    """The same bound holds where FastAPI reads the body."""
    client = stand.client()
    client.send(b"PUT /admin/limits HTTP/1.1\r\nhost: g\r\n" + JSON + b"content-length: 20\r\n\r\n{")
    assert client.answer()[0] == 408


@pytest.mark.fault(62)
def test_an_idle_new_connection(stand: Stand) -> None:
    """A connection that never asks is closed at the header deadline."""
    client = stand.client()
    started_s = time.monotonic()
    assert client.read_to_end() == b""
    assert time.monotonic() - started_s < 3


@pytest.mark.fault(63)
def test_the_connection_limit(engine: ScriptedEngine) -> None:
    """Above MAX_CONNECTIONS newcomers get a 503 and are closed; those inside are served."""
    with gateway(engine.url, max_connections=5, header_timeout_s=60) as running:
        until(lambda: running.open_sockets() <= 1)
        inside = [Raw(running.port) for _ in range(5)]
        until(lambda: running.open_sockets() >= 5)
        outside = Raw(running.port)
        status, _, body = outside.answer()
        assert (status, json.loads(body)["error"]["code"]) == (503, "rate_limited")
        assert outside.read_to_end() == b""
        outside.close()
        inside[0].send(post({}))
        assert inside[0].answer()[0] == 200
        for client in inside:
            client.close()
        until(lambda: running.chat()[0] == 200)


@pytest.mark.fault(64)
def test_a_crowd_at_once(engine: ScriptedEngine) -> None:
    """300 at once with MAX_ACTIVE=2 and QUEUE_MAX=10: exactly 12 are admitted, the others get 429."""
    crowd(engine, clients=300, active=2, queue=10)


def crowd(engine: ScriptedEngine, clients: int, active: int, queue: int) -> None:
    request = post({"script": [["gate", "crowd"], ["send", SERVED_TEXT]]})
    with gateway(engine.url, max_active=active, queue_max=queue, header_timeout_s=60) as running:
        crowd_clients = [Raw(running.port) for _ in range(clients)]
        for client in crowd_clients:
            client.send(request)
        until(lambda: running.state()["outcomes"]["rejected_full"] == clients - active - queue, 30)
        state = running.state()
        assert (state["active"], state["queued"]) == (active, queue)
        engine.open_gate("crowd")
        statuses = [client.answer(30)[0] for client in crowd_clients]
        assert statuses.count(200) == active + queue
        assert statuses.count(429) == clients - active - queue
        assert engine.peak == active
        for client in crowd_clients:
            client.close()


SERVED_TEXT = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{"choices":[]}'


def test_an_upgrade_is_not_taken(stand: Stand) -> None:
    """A websocket upgrade is answered as the plain request it also is, and the connection goes on."""
    client = stand.client()
    for _ in range(2):
        client.send(b"GET /health HTTP/1.1\r\nhost: g\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        status, headers, _ = client.answer()
        assert (status, headers.get("connection")) == (200, None)


def test_http_1_0_without_a_host(stand: Stand) -> None:
    """HTTP/1.0 needs no Host, and its connection closes after the answer."""
    with socket.create_connection(("127.0.0.1", stand.gateway.port)) as plain:
        plain.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        plain.settimeout(5)
        assert plain.recv(65536).startswith(b"HTTP/1.1 200")


def test_head_is_answered_at_once(stand: Stand) -> None:
    """An answer to HEAD has no body to wait for."""
    client = stand.client()
    client.send(b"HEAD /health HTTP/1.1\r\nhost: g\r\n\r\n")
    assert client.read_until(b"\r\n\r\n", 1.0).startswith(b"HTTP/1.1 200")
    client.send(b"GET /health HTTP/1.1\r\nhost: g\r\n\r\n")
    assert client.answer()[0] == 200
