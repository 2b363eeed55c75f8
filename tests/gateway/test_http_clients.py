"""HTTP/1.1 as its clients speak it: offers to upgrade, HEAD, HTTP/1.0, answers to those who still send."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.gateway.process import gateway
from tests.gateway.scripted_engine import ScriptedEngine
from tests.gateway.stand import Raw, Stand, post

HERE = Path(__file__).parent
OFFER = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAEAAEAAAAIAAAABAAMAAABk")
JSON = "content-type: application/json"


def chunked(*more: str, body: bytes = b'{"messages":[],"user":"u"}') -> bytes:
    """A request whose body comes in two chunks."""
    head = ["POST /v1/chat/completions HTTP/1.1", "host: g", JSON, "transfer-encoding: chunked", *more]
    pieces = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:])]
    return "\r\n".join([*head, "", ""]).encode() + b"".join(pieces) + b"0\r\n\r\n"


@pytest.mark.fault(85)
def test_an_offer_to_upgrade_is_ignored_and_the_body_kept(stand: Stand) -> None:
    """Java's HttpClient offers h2c with every request: with a length and chunked, first and on a kept
    connection.
    """
    client = stand.client()
    for request in (post({"user": "u"}, *OFFER), chunked(*OFFER)) * 2:
        client.send(request)
        status, headers, body = client.answer()
        assert status == 200, body
        assert "upgrade" not in headers
    assert [seen.fields["user"] for seen in stand.engine.seen] == ["u"] * 4
    stand.ended(ok=4)


@pytest.mark.fault(85)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_an_offer_to_upgrade_that_comes_in_pieces(stand: Stand, size: int) -> None:
    """Wherever the network cuts head and body."""
    client = stand.client()
    request = post({"user": "u"}, *OFFER)
    for start in range(0, len(request), size):
        client.send(request[start : start + size])
    assert client.answer()[0] == 200
    assert stand.engine.seen[0].fields["user"] == "u"


def test_an_offer_and_a_close_in_one_field(stand: Stand) -> None:
    """What else stands in Connection still counts."""
    client = stand.client()
    client.send(post({}, "connection: close, upgrade", "upgrade: h2c"))
    status, headers, _ = client.answer()
    assert (status, headers["connection"]) == (200, "close")
    assert client.read_to_end() == b""


@pytest.mark.fault(85)
def test_an_offer_does_not_lift_the_bounds(stand: Stand) -> None:
    """Size and form of a request are judged as without it."""
    client = stand.client()
    client.send(post(b"x" * 100, *OFFER, "content-length: 3"))
    assert client.answer()[0] == 400
    client = stand.client()
    client.send(b"CONNECT g:80 HTTP/1.1\r\nhost: g\r\n\r\n")
    assert client.answer()[0] in (400, 404, 405)
    assert not stand.engine.seen


@pytest.mark.fault(86)
@pytest.mark.parametrize(
    "path", ["/health", "/ready", "/metrics", "/v1/models", "/v1/models/tiny", "/admin/limits"]
)
def test_head_is_served_where_get_is(stand: Stand, path: str) -> None:
    """The same status and fields as GET, and no body to wait for; the connection goes on."""
    client = stand.client()
    for _ in range(2):
        client.send(f"HEAD {path} HTTP/1.1\r\nhost: g\r\n\r\n".encode())
        head = client.read_until(b"\r\n\r\n", 2.0)
        assert head.startswith(b"HTTP/1.1 200")
        assert b"content-length: " in head
    client.send(b"GET /health HTTP/1.1\r\nhost: g\r\n\r\n")
    assert client.answer()[0] == 200


def test_a_method_that_is_not_served_names_those_that_are(stand: Stand) -> None:
    """Allow has HEAD beside GET, and POST alone for completions; the message says the same."""
    _, headers, body = stand.gateway.ask("DELETE", "/health")
    assert headers["allow"] == "GET, HEAD"
    assert "it answers GET, HEAD." in json.loads(body)["error"]["message"]
    client = stand.client()
    client.send(b"HEAD /v1/chat/completions HTTP/1.1\r\nhost: g\r\n\r\n")
    head = client.read_until(b"\r\n\r\n", 2.0).lower()
    assert head.startswith(b"http/1.1 405")
    assert b"allow: post\r\n" in head


@pytest.mark.fault(53)
@pytest.mark.parametrize("path", ["/", "/chat/completions", "/v1/audio/speech", "/v1/v1/chat/completions"])
def test_a_path_that_is_not_served_names_those_that_are(stand: Stand, path: str) -> None:
    """Whoever has forgotten /v1, or has it twice, sees it."""
    status, _, body = stand.gateway.ask("POST", path, {})
    message = json.loads(body)["error"]["message"]
    assert status == 404
    assert all(served in message for served in ("/v1/chat/completions", "/v1/completions", "/v1/models"))


@pytest.mark.fault(53)
@pytest.mark.parametrize("path", ["/v1/chat/completions/", "/v1/completions/"])
def test_a_slash_at_the_end_of_a_path(stand: Stand, path: str) -> None:
    """Base URLs have one too many now and then: engines lead them on, here they are served at once."""
    assert stand.gateway.ask("POST", path, {"messages": [], "prompt": "a"})[0] == 200
    assert stand.engine.seen[-1].path == path.rstrip("/")
    assert json.loads(stand.gateway.get("/v1/models/")[2])["data"][0]["id"] == "tiny"
    stand.ended(ok=1)


def http_1_0(stand: Stand, fields: dict[str, object], *more: str) -> tuple[bytes, bytes]:
    """Head and body of a chat completion asked for with HTTP/1.0."""
    client = stand.client()
    client.send(post(fields, *more).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    head, _, body = client.read_to_end().partition(b"\r\n\r\n")
    return head.lower(), body


@pytest.mark.fault(87)
@pytest.mark.parametrize("more", [(), ("connection: keep-alive",), ("expect: 100-continue",)])
def test_http_1_0_gets_a_stream_without_chunks(stand: Stand, more: tuple[str, ...]) -> None:
    """It knows neither chunks nor interim answers: the end of the connection is the end of the body."""
    head, body = http_1_0(stand, {"stream": True}, *more)
    assert head.startswith(b"http/1.1 200")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body.startswith(b"data: ")
    assert body.endswith(b"data: [DONE]\n\n")
    assert all(line.startswith(b"data: ") for line in body.split(b"\n") if line)


def test_http_1_0_gets_what_is_not_streamed(stand: Stand) -> None:
    """With its length, and refusals as well."""
    head, body = http_1_0(stand, {})
    assert b"content-length: %d" % len(body) in head
    assert json.loads(body)["choices"]
    client = stand.client()
    client.send(b"GET /nothing HTTP/1.0\r\n\r\n")
    assert b"404" in client.read_to_end()[:20]


@pytest.mark.fault(88)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/admin/limits"])
def test_a_refusal_reaches_a_client_that_sends_slowly(engine: ScriptedEngine, path: str) -> None:
    """It is still sending long after the answer, and reads it only then: no reset overtakes it."""
    method = b"PUT" if path.startswith("/admin") else b"POST"
    size = 40_000
    with gateway(engine.url, max_body_bytes=1000) as running:
        client = Raw(running.port)
        head = b"%s %s HTTP/1.1\r\nhost: g\r\n%s\r\ncontent-length: %d\r\n\r\n"
        client.send(head % (method, path.encode(), JSON.encode(), size))
        for _ in range(20):
            client.send(b"x" * (size // 20))
            time.sleep(0.15)  # longer in all than a client that has stopped is waited for
        assert client.answer()[0] == 413
        client.close()


@pytest.mark.fault(88)
def test_an_early_answer_to_a_client_that_waits_to_send(engine: ScriptedEngine) -> None:
    """With `Expect: 100-continue` and a refusal nobody knows whether the body comes: that connection closes.
    One whose body came is kept.
    """
    with gateway(engine.url, gateway_api_keys="k") as running:
        for key, status in (("wrong", 401), ("k", 200)):
            client = Raw(running.port)
            head, body = post({}, "expect: 100-continue", f"authorization: Bearer {key}").split(b"\r\n\r\n")
            client.send(head + b"\r\n\r\n")
            if status == 200:
                assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
                client.send(body)
            got, headers, _ = client.answer()
            assert (got, headers.get("connection")) == (status, "close" if status == 401 else None)
            client.close()


@pytest.mark.fault(88)
def test_an_early_answer_before_a_close(engine: ScriptedEngine) -> None:
    """A client that wants the connection closed and still sends reads the refusal, not a reset."""
    with gateway(engine.url, gateway_api_keys="k") as running:
        client = Raw(running.port)
        request = post(b"x" * 1_000_000, "connection: close")
        client.send(request[:1000])
        time.sleep(0.2)  # the answer is out long before the rest is sent
        client.send(request[1000:])
        assert client.answer()[0] == 401
        assert client.read_to_end() == b""
        client.close()


@pytest.mark.fault(85)
@pytest.mark.skipif(shutil.which("java") is None, reason="no java")
def test_the_jdks_own_client(engine: ScriptedEngine) -> None:
    """java.net.http.HttpClient as it comes: with a length and chunked, first and kept connection."""
    with gateway(engine.url) as running:
        env = {**os.environ, "G": str(running.port)}
        ended = subprocess.run(
            ["java", "JdkClient.java"], cwd=HERE, env=env, capture_output=True, text=True, timeout=120
        )
    lines = ended.stdout.splitlines()
    assert len(lines) == 4, ended
    assert all(" 200 " in line for line in lines), lines


@pytest.mark.fault(87)
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl_with_http_1_0(engine: ScriptedEngine) -> None:
    """`curl --http1.0` on a stream ends by itself with the whole stream."""
    body = json.dumps({"messages": [], "stream": True})
    with gateway(engine.url) as running:
        url = f"{running.url}/v1/chat/completions"
        command = ["curl", "-sS", "--http1.0", "-m", "20", "-H", JSON, "-d", body, url]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended
    assert ended.stdout.endswith("data: [DONE]\n\n")


@pytest.mark.fault(88)
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
@pytest.mark.parametrize("more", [("--http1.0",), ("-H", "expect:"), ("-H", "transfer-encoding: chunked")])
def test_curl_reads_a_refusal_of_what_it_still_sends(engine: ScriptedEngine, more: tuple[str, ...]) -> None:
    """20 MB for a gateway that takes 1 kB: curl says 413 and shows the reason, not a reset connection."""
    with gateway(engine.url, max_body_bytes=1000) as running:
        url = f"{running.url}/v1/chat/completions"
        command = [
            "curl",
            "-sS",
            "-m",
            "20",
            "-w",
            "%{http_code}",
            "-H",
            JSON,
            "--data-binary",
            "@-",
            *more,
            url,
        ]
        ended = subprocess.run(command, input=b"x" * 20_000_000, capture_output=True, timeout=60)
    assert ended.returncode == 0, ended
    assert ended.stdout.endswith(b"413")
    assert b"larger than 1000 bytes" in ended.stdout
