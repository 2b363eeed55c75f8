"""Engines that fail in every way an engine can: the fault list's second part, against the real process."""

import json
import socket
import threading
import time
from typing import Any

import pytest

from tests.gateway.process import free_port, gateway, until
from tests.gateway.scripted_engine import (
    DONE,
    END,
    SSE_HEAD,
    ScriptedEngine,
    chunk,
    completion,
    event,
    usage_event,
    whole,
)
from tests.gateway.stand import Stand, post

STREAM_OK = chunk(event("a")) + chunk(event("b")) + chunk(DONE) + END


def stream(*steps: Any) -> dict[str, Any]:
    return {"stream": True, "script": [["send", SSE_HEAD], *steps]}


def error_of(body: bytes) -> dict[str, Any]:
    return dict(json.loads(body)["error"])


def last_event(body: bytes) -> dict[str, Any]:
    """The error in a stream's last event, which must be whole and the only one."""
    events = body.split(b"\n\n")
    assert events[-1] == b""
    assert b"[DONE]" not in body
    assert body.count(b'"error"') == 1
    return error_of(events[-2].removeprefix(b"data: "))


@pytest.mark.fault(16)
def test_nothing_listens() -> None:
    """A refused connection is a 502 with a wait; after a row of them the breaker answers."""
    with gateway(f"http://127.0.0.1:{free_port()}", breaker_failures=3, breaker_cooldown_s=60) as running:
        for _ in range(5):
            status, headers, body = running.chat()
            assert status == 502
            assert headers["x-gateway-outcome"] == "upstream_error"
            assert error_of(body)["type"] == "upstream_unreachable"
            assert float(headers["retry-after"]) >= 1
        assert running.metric("gateway_breaker_state") == 2
        assert running.state()["active"] == 0


@pytest.mark.fault(16)
def test_a_name_that_does_not_resolve() -> None:
    """An engine's name without an address is a 502, not an internal error."""
    with gateway("http://no-such-host.invalid:8000") as running:
        status, _, body = running.chat()
        assert (status, error_of(body)["type"]) == (502, "upstream_unreachable")


@pytest.mark.fault(17)
def test_accepts_and_never_answers(stand: Stand) -> None:
    """Silence before the head of a stream is a 504 at TTFT_TIMEOUT_S; the engine's connection is closed."""
    started_s = time.monotonic()
    status, headers, body = stand.gateway.chat(stream=True, script=[["hang"]])
    assert 0.7 < time.monotonic() - started_s < 2.5
    assert status == 504
    assert headers["x-gateway-outcome"] == "upstream_timeout"
    assert error_of(body)["type"] == "upstream_first_token_timeout"
    until(lambda: stand.engine.seen[0].closed_s is not None, 1)


@pytest.mark.fault(17)
def test_never_answers_a_whole_request(stand: Stand) -> None:
    """Without streaming the first token is the last: REQUEST_TIMEOUT_S decides, and it is a 504 too."""
    status, _, body = stand.gateway.chat(script=[["hang"]])
    assert (status, error_of(body)["type"]) == (504, "request_timeout")


@pytest.mark.fault(18)
def test_head_then_silence(stand: Stand) -> None:
    """A stream's head without an event is not answered with 200: it becomes a 504 at TTFT_TIMEOUT_S."""
    status, _, _ = stand.gateway.chat(**stream(["hang"]))
    assert status == 504


@pytest.mark.fault(19)
def test_silence_between_tokens(stand: Stand) -> None:
    """After IDLE_TIMEOUT_S of silence the stream ends with one error event, and without [DONE]."""
    status, _, body = stand.gateway.chat(**stream(["send", chunk(event("a"))], ["hang"]))
    assert status == 200
    assert last_event(body)["type"] == "upstream_idle_timeout"
    stand.ended(upstream_timeout=1)


@pytest.mark.fault(20)
def test_an_endless_trickle(stand: Stand) -> None:
    """A stream that never falls silent and never ends is cut at REQUEST_TIMEOUT_S, which is a total."""
    drops: list[Any] = [["send", chunk(event("a"))], ["wait", 0.25]] * 20
    started_s = time.monotonic()
    _, _, body = stand.gateway.chat(**stream(*drops))
    assert 2.8 < time.monotonic() - started_s < 4.5
    assert last_event(body)["type"] == "request_timeout"
    stand.ended(upstream_timeout=1)


@pytest.mark.fault(21)
def test_death_within_an_event(stand: Stand) -> None:
    """The half event is dropped; what the client gets is whole events, then one error event."""
    _, _, body = stand.gateway.chat(**stream(["send", chunk(event("a")) + chunk(event("b")[:30])], ["close"]))
    assert body.startswith(event("a").encode() + b"data: {")
    assert last_event(body)["code"] == "upstream_truncated"
    stand.ended(upstream_truncated=1)


@pytest.mark.fault(22)
@pytest.mark.parametrize("step", ["close", "reset"])
def test_death_between_events(stand: Stand, step: str) -> None:
    """An engine that dies between two events: error event, outcome upstream_truncated."""
    _, _, body = stand.gateway.chat(**stream(["send", chunk(event("a"))], ["wait", 0.05], [step]))
    assert last_event(body)["code"] == "upstream_truncated"
    stand.ended(upstream_truncated=1)


@pytest.mark.fault(23)
def test_a_clean_end_without_done(stand: Stand) -> None:
    """A well-formed end of the body without [DONE] is no success: SDKs would take it for one."""
    _, _, body = stand.gateway.chat(**stream(["send", chunk(event("a")) + END]))
    assert last_event(body)["code"] == "upstream_truncated"
    stand.ended(upstream_truncated=1)


@pytest.mark.fault(23)
def test_an_end_by_finish_reason(stand: Stand) -> None:
    """An engine that never sends [DONE] but says why it stopped has ended its answer."""
    stop = event("b").replace('"finish_reason":null', '"finish_reason":"stop"')
    _, _, body = stand.gateway.chat(**stream(["send", chunk(event("a")) + chunk(stop) + END]))
    assert body == (event("a") + stop).encode()
    stand.ended(ok=1)


@pytest.mark.fault(24)
@pytest.mark.parametrize("after", [[["send", chunk(event("late")) + END]], [["reset"]], [["send", "zz\r\n"]]])
def test_what_comes_after_done(stand: Stand, after: list[Any]) -> None:
    """Nothing that an engine sends after [DONE], at once or later, reaches the client; nor does its death."""
    late = 'data: {"error": "too late"}\n\n'
    _, _, body = stand.gateway.chat(
        **stream(["send", chunk(event("a")) + chunk(DONE + late)], ["wait", 0.05], *after)
    )
    assert body == (event("a") + DONE).encode()
    stand.ended(ok=1)


@pytest.mark.fault(29)
def test_an_answer_that_the_engine_aborted(stand: Stand) -> None:
    """finish_reason abort under a 200 passes unchanged and is counted as the engine's error."""
    abort = event("").replace('"finish_reason":null', '"finish_reason":"abort"')
    _, _, body = stand.gateway.chat(**stream(["send", chunk(event("a")) + chunk(abort) + chunk(DONE) + END]))
    assert body == (event("a") + abort + DONE).encode()
    whole_answer = completion().replace('"finish_reason": "stop"', '"finish_reason": "abort"')
    status, _, body = stand.gateway.chat(script=[["send", whole(200, whole_answer)]])
    assert (status, body) == (200, whole_answer.encode())
    stand.ended(upstream_error=2)


@pytest.mark.fault(25)
@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_the_engines_refusals_pass(stand: Stand, status: int) -> None:
    """The engine's own 4xx reaches the client with its status, its body and a
    JSON content type, also for a stream.
    """
    error = json.dumps(
        {"error": {"message": "too long", "type": "BadRequestError", "param": None, "code": status}}
    )
    got, headers, body = stand.gateway.chat(stream=True, script=[["send", whole(status, error)]])
    assert (got, body) == (status, error.encode())
    assert headers["content-type"] == "application/json"
    assert "x-gateway-outcome" not in headers
    stand.ended(invalid=1)


@pytest.mark.fault(26)
@pytest.mark.parametrize("status", [429, 503])
def test_an_overloaded_engine(stand: Stand, status: int) -> None:
    """The engine's own admission control becomes a 503 with a computed wait, counted apart."""
    got, headers, _ = stand.gateway.chat(script=[["send", whole(status, '{"error":{}}')]])
    assert got == 503
    assert headers["x-gateway-outcome"] == "upstream_overloaded"
    assert 1 <= int(headers["retry-after"]) <= 120
    assert 100 <= int(headers["retry-after-ms"]) <= 120_000
    stand.ended(upstream_overloaded=1)


@pytest.mark.fault(26)
@pytest.mark.parametrize("status", [429, 503, 500])
@pytest.mark.parametrize(
    ("fields", "least_s"),
    [
        ("retry-after: 30", 30),
        ("retry-after: 500", 500),
        ("retry-after: 2\r\nretry-after-ms: 41500", 42),
        ("date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:50:17 GMT", 40),
    ],
)
def test_the_engines_own_wait_reaches_the_client(
    stand: Stand, status: int, fields: str, least_s: int
) -> None:
    """A Retry-After of the engine that is longer than ours is told, in all fields and in the body."""
    script = [["send", whole(status, '{"error":{}}', extra=f"{fields}\r\n")]]
    got, headers, body = stand.gateway.chat(stream=True, script=script)
    assert got in (502, 503)
    assert int(headers["retry-after"]) == least_s
    assert (least_s - 1) * 1000 < int(headers["retry-after-ms"]) <= least_s * 1000
    assert least_s - 1 < json.loads(body)["error"]["retry_after_s"] <= least_s


@pytest.mark.fault(26)
@pytest.mark.parametrize("value", ["0", "-5", "soon", "nan", "inf", "Sun, 06 Nov 1994 08:50:17 GMT", ""])
def test_a_wait_that_cannot_be_read(stand: Stand, value: str) -> None:
    """A Retry-After that says nothing leaves the computed wait."""
    script = [["send", whole(429, '{"error":{}}', extra=f"retry-after: {value}\r\n")]]
    got, headers, _ = stand.gateway.chat(script=script)
    assert got == 503
    assert 1 <= int(headers["retry-after"]) <= 120


DENIED = '{"error":{"message":"Unauthorized","type":"invalid_request_error","param":null,"code":401}}'


@pytest.mark.fault(90)
@pytest.mark.parametrize("settings", [{"upstream_api_key": "sk-ours"}, {"gateway_api_keys": "k"}])
def test_a_key_of_ours_that_the_engine_refuses(engine: ScriptedEngine, settings: dict[str, str]) -> None:
    """The engine's 401 to a key that is not the client's is a 502 that says so, counted as the engine's."""
    with gateway(engine.url, **settings) as running:
        body = {"messages": [], "script": [["send", whole(401, DENIED)]]}
        key = {"authorization": "Bearer k"}
        status, headers, answer = running.ask("POST", "/v1/chat/completions", body, key)
        error = json.loads(answer)["error"]
        assert (status, headers["x-gateway-outcome"]) == (502, "upstream_error")
        assert error["type"] == "upstream_unauthorized"
        assert "UPSTREAM_API_KEY" in error["message"]
        assert "sk-ours" not in answer.decode()
        assert running.state()["outcomes"]["upstream_error"] == 1


@pytest.mark.fault(90)
def test_a_key_of_the_client_that_the_engine_refuses(stand: Stand) -> None:
    """Where the client's own key goes to the engine, its 401 passes unchanged."""
    status, _, body = stand.gateway.chat(script=[["send", whole(401, DENIED)]])
    assert (status, body.decode()) == (401, DENIED)
    stand.ended(invalid=1)


@pytest.mark.fault(27)
def test_a_500_with_html(stand: Stand) -> None:
    """The engine's 500 becomes a 502 in the OpenAI form; a page of HTML does not reach the client."""
    got, headers, body = stand.gateway.chat(script=[["send", whole(500, "<b>secret</b>", "text/html")]])
    assert got == 502
    assert headers["content-type"] == "application/json"
    assert b"secret" not in body
    stand.ended(upstream_error=1)


@pytest.mark.fault(28)
@pytest.mark.parametrize(("kind", "body"), [("text/html", "<p>hi"), ("application/json", completion())])
def test_the_wrong_content_type_for_a_stream(stand: Stand, kind: str, body: str) -> None:
    """A 200 that is no event stream is a 502."""
    got, _, answer = stand.gateway.chat(stream=True, script=[["send", whole(200, body, kind)]])
    assert (got, error_of(answer)["type"]) == (502, "upstream_bad_content_type")


@pytest.mark.fault(29)
@pytest.mark.parametrize(("code", "status"), [(400, 400), (503, 503), (500, 502), (None, 502)])
def test_an_error_as_the_first_event(stand: Stand, code: int | None, status: int) -> None:
    """An error under a 200, before anything was sent: the client gets a real status."""
    error = "data: " + json.dumps({"error": {"message": "no", "code": code}}) + "\n\n"
    got, _, _ = stand.gateway.chat(**stream(["send", chunk(error) + chunk(DONE) + END]))
    assert got == status


@pytest.mark.fault(29)
def test_an_error_as_a_later_event(stand: Stand) -> None:
    """An error event within a stream is passed on once and counted as an error."""
    error = 'data: {"error": {"message": "out of memory", "code": 500}}\n\n'
    _, _, body = stand.gateway.chat(
        **stream(["send", chunk(event("a"))], ["wait", 0.05], ["send", chunk(error) + END])
    )
    assert body.count(b'"error"') == 1
    stand.ended(upstream_error=1)


@pytest.mark.fault(30)
@pytest.mark.parametrize("garbage", ["SSH-2.0-OpenSSH\r\n", "\x00\x01\x02\x03\n\n", "HTTP/9 banana\r\n\r\n"])
def test_no_http_at_all(stand: Stand, garbage: str) -> None:
    """Garbage instead of HTTP is a 502, and its connection is not used again."""
    got, _, _ = stand.gateway.chat(script=[["send", garbage], ["hang"]])
    assert got == 502
    stand.ended(upstream_error=1)


@pytest.mark.fault(31)
def test_a_bad_chunk_size(stand: Stand) -> None:
    """A chunk size that is no number: error event after what was whole."""
    _, _, body = stand.gateway.chat(**stream(["send", chunk(event("a")) + "zz\r\nboom\r\n"], ["hang"]))
    assert last_event(body)["code"] == "upstream_truncated"


@pytest.mark.fault(32)
def test_a_content_length_too_long(stand: Stand) -> None:
    """Fewer bytes than promised: a 502, because nothing was sent yet."""
    script = [
        ["send", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{}"],
        ["close"],
    ]
    got, headers, _ = stand.gateway.chat(script=script)
    assert (got, headers["x-gateway-outcome"]) == (502, "upstream_truncated")


@pytest.mark.fault(32)
def test_a_content_length_too_short(stand: Stand) -> None:
    """More bytes than promised: the surplus never becomes part of another answer."""
    text = completion()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
    got, _, body = stand.gateway.chat(script=[["send", head + text + "HTTP/1.1 200 OK\r\n"], ["hang"]])
    assert (got, body) == (200, text.encode())
    got, _, body = stand.gateway.chat()
    assert got == 200
    assert json.loads(body)["choices"]
    stand.ended(ok=2)


@pytest.mark.fault(34)
@pytest.mark.parametrize("value", ["caf\xe9", "x" * 5000])
def test_strange_answer_fields(stand: Stand, value: str) -> None:
    """A field value outside ASCII, or a huge one, is dropped; the answer passes."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nopenai-processing-ms: {value}\r\n"
    script = [["send", head + 'content-length: 14\r\n\r\n{"choices":[]}']]
    for _ in range(3):
        got, headers, _ = stand.gateway.chat(script=script)
        assert got == 200
        assert "openai-processing-ms" not in headers
    assert stand.gateway.state()["active"] == 0


@pytest.mark.fault(34)
@pytest.mark.parametrize("field", ["x: " + "y" * (1 << 20), "x: a\r\n b", "x: a\x00b"])
def test_broken_answer_heads(stand: Stand, field: str) -> None:
    """A head of a megabyte, a folded line, a NUL: 502, connection dropped, slot back once."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{field}\r\ncontent-length: 2\r\n\r\n{{}}"
    got, _, _ = stand.gateway.chat(script=[["send", head], ["hang"]])
    assert got == 502
    stand.ended(upstream_error=1)


@pytest.mark.fault(34)
def test_a_compressed_answer(stand: Stand) -> None:
    """An encoding that was not asked for is refused, never relayed without its label."""
    got, _, body = stand.gateway.chat(script=[["send", whole(200, "xx", extra="content-encoding: gzip\r\n")]])
    assert (got, error_of(body)["type"]) == (502, "upstream_bad_encoding")


@pytest.mark.fault(35)
def test_every_byte_boundary(stand: Stand) -> None:
    """Comments, CRLF line ends and several data lines, split at every byte, arrive unchanged."""
    text = (
        ": hello\n\n"
        + event("a")
        + "event: x\r\ndata: {}\r\nid: 7\r\n\r\n"
        + 'data: {"a":\ndata: 2}\n\n'
        + DONE
    )
    steps = [["send", chunk(char)] for char in text]
    _, _, body = stand.gateway.chat(
        **stream(*[step for sent in steps for step in (sent, ["wait", 0])], ["send", END])
    )
    assert body == text.encode()
    stand.ended(ok=1)


@pytest.mark.fault(35)
def test_a_cut_within_a_chunks_size(stand: Stand) -> None:
    """What comes behind the cut looks like a chunk of its own, and is not taken for one."""
    first = event("b" * 60)
    size = len(first)
    assert 0x10 <= size <= 0xFF
    # The size is written as 1 and, after a pause, as two more digits: together 256 more than the digits say.
    payload = first + "\r\n" + event("c" * (0x100 - len("\r\n") - len(event(""))))
    assert len(payload) == 0x100 + size
    looks_whole = f"{size:x}\r\n{first}\r\n"
    rest = payload[size + 2 :] + "\r\n"
    steps: list[Any] = [["send", chunk(event("a"))], ["wait", 0.05], ["send", "1"], ["wait", 0.05]]
    steps += [["send", looks_whole], ["wait", 0.05], ["send", rest + chunk(DONE) + END]]
    _, _, body = stand.gateway.chat(**stream(*steps))
    assert body == (event("a") + payload + DONE).encode()
    stand.ended(ok=1)


@pytest.mark.fault(35)
def test_an_event_of_a_megabyte(stand: Stand) -> None:
    """One line of 1 MiB passes unchanged."""
    big = event("x" * (1 << 20))
    _, _, body = stand.gateway.chat(**stream(["send", chunk(big) + chunk(DONE) + END]))
    assert body == (big + DONE).encode()


@pytest.mark.fault(35)
def test_an_event_without_an_end(stand: Stand) -> None:
    """An event that grows past MAX_EVENT_BYTES ends the stream; memory stays bounded."""
    with gateway(stand.engine.url, max_event_bytes=100_000) as running:
        steps: list[Any] = [
            ["send", chunk(event("a"))],
            ["wait", 0.05],
            ["repeat", 200, chunk("x" * 1000)],
            ["hang"],
        ]
        _, _, body = running.chat(**stream(*steps))
        assert last_event(body)["type"] == "upstream_too_large"


@pytest.mark.fault(36)
def test_redirects_are_not_followed(stand: Stand) -> None:
    """A 3xx is a 502; nobody is asked anywhere else."""
    to = f"location: {stand.engine.url}/elsewhere\r\n"
    got, _, body = stand.gateway.chat(script=[["send", whole(307, "", extra=to)]])
    assert (got, error_of(body)["type"]) == (502, "upstream_redirect")
    assert len(stand.engine.seen) == 1


@pytest.mark.fault(37)
def test_interim_answers_are_skipped(stand: Stand) -> None:
    """100 Continue and 103 Early Hints before the answer change nothing."""
    early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    got, _, body = stand.gateway.chat(
        script=[["send", early], ["wait", 0.02], ["send", whole(200, completion())]]
    )
    assert (got, body) == (200, completion().encode())


@pytest.mark.fault(38)
def test_a_stale_connection_is_retried_once(stand: Stand) -> None:
    """A reused connection that dies before any byte costs the client nothing: once more, on a fresh one."""
    retries = stand.gateway.metric("gateway_upstream_retries_total")
    stand.gateway.chat(user="warm")
    until(lambda: stand.gateway.metric("gateway_upstream_connections") >= 1)
    until(lambda: not stand.engine.running)
    used = stand.engine.seen[-1].connection
    stand.engine.stale.add(used)
    status, _, _ = stand.gateway.chat(user="again")
    assert status == 200
    assert stand.gateway.metric("gateway_upstream_retries_total") == retries + 1


@pytest.mark.fault(38)
def test_a_half_answer_is_not_retried(stand: Stand) -> None:
    """After the first byte of an answer there is no second try: the engine may have done the work."""
    stand.gateway.chat()
    stand.engine.seen.clear()
    got, _, _ = stand.gateway.chat(script=[["send", "HTTP/1.1 2"], ["close"]])
    assert got == 502
    assert len(stand.engine.seen) == 1


@pytest.mark.fault(38)
def test_the_race_with_the_engines_idle_timeout(stand: Stand) -> None:
    """Requests sent just as the engine closes its idle connections all succeed."""
    for _ in range(20):
        stand.gateway.chat()
        stand.engine.close_idle()
        assert stand.gateway.chat()[0] == 200


@pytest.mark.fault(39)
def test_an_engine_that_restarts_under_load() -> None:
    """While the engine is away: 502 at once, breaker open, no storm; when
    it is back: service without a restart.
    """
    with ScriptedEngine() as engine:
        port = engine.port
        with gateway(engine.url, breaker_failures=3, breaker_cooldown_s=0.2, probe_interval_s=30) as running:
            assert running.chat()[0] == 200
            engine.__exit__()
            assert [running.chat()[0] for _ in range(6)] == [502] * 6
            assert running.metric("gateway_breaker_state") == 2
            with ScriptedEngine(port=port) as back:
                until(lambda: running.chat()[0] == 200, 3)
                assert running.metric("gateway_breaker_state") == 0
                assert len(back.seen) == 1, "the trial was the first request it got"
            engine.__enter__()


@pytest.mark.fault(41)
def test_an_engine_that_does_not_read(stand: Stand) -> None:
    """An engine that stops reading the request is a 504 after STALL_TIMEOUT_S."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with gateway(url, stall_timeout_s=0.5, max_body_bytes=30_000_000, body_timeout_s=20) as running:
            status, _, body = running.chat(user="x" * 20_000_000)
            assert (status, error_of(body)["type"]) == (504, "upstream_write_timeout")


@pytest.mark.fault(41)
def test_an_engine_that_answers_what_it_has_not_read(stand: Stand) -> None:
    """Its answer reaches the client; the connection, on which the request is still being sent, is not used
    again.
    """
    with socket.socket() as early:
        early.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        early.bind(("127.0.0.1", 0))
        early.listen(8)
        url = f"http://127.0.0.1:{early.getsockname()[1]}"
        accepted: list[socket.socket] = []

        def answer_posts() -> None:
            early.settimeout(10)
            while len(posts) < 2:
                accepted.append(early.accept()[0])
                if accepted[-1].recv(4).startswith(b"POST"):
                    posts.append(len(accepted))
                    accepted[-1].sendall(whole(413, '{"error":{}}').encode())

        posts: list[int] = []
        answering = threading.Thread(target=answer_posts)
        with gateway(url, max_body_bytes=30_000_000, body_timeout_s=20, probe_interval_s=30) as running:
            answering.start()
            for _ in range(2):
                assert running.chat(user="x" * 20_000_000)[0] == 413
        answering.join(10)
        for one in accepted:
            one.close()
    assert len(posts) == 2


@pytest.mark.fault(42)
def test_a_hung_models_route(stand: Stand) -> None:
    """`/health` and `/v1/models` hang at the engine: both are answered here at once, requests are served."""
    stand.engine.control_script = [["hang"]]
    try:
        time.sleep(0.5)
        started_s = time.monotonic()
        status, headers, body = stand.gateway.get("/v1/models")
        assert status == 200
        assert "tiny" in body.decode()
        assert int(headers["age"]) >= 0
        assert stand.gateway.get("/health")[0] == 200
        assert stand.gateway.chat()[0] == 200
        assert time.monotonic() - started_s < 2
    finally:
        stand.engine.control_script = None
        stand.engine.close_idle(all_of_them=True)


def test_usage_is_asked_for_and_hidden(stand: Stand) -> None:
    """Exact token counts come from the engine; who did not ask for the event does not see it."""
    before = stand.gateway.metric("gateway_tokens_total")
    script = [["send", chunk(event("a")) + chunk(usage_event(7, 5)) + chunk(DONE) + END]]
    _, _, body = stand.gateway.chat(stream=True, script=[["send", SSE_HEAD], *script])
    assert stand.engine.seen[-1].fields["stream_options"] == {"include_usage": True}
    assert body == (event("a") + DONE).encode()
    _, _, body = stand.gateway.chat(
        stream=True, stream_options={"include_usage": True}, script=[["send", SSE_HEAD], *script]
    )
    assert usage_event(7, 5).encode() in body
    assert stand.gateway.metric("gateway_tokens_total") == before + 24


def test_the_body_reaches_the_engine_byte_for_byte(stand: Stand) -> None:
    """What needs nothing added is not touched: order, spaces, numbers and all."""
    raw = b'{ "messages" : [], "seed": 1.0e0, "x":  {"b":1,"a":"\\u00e9"} }'
    client = stand.client()
    client.send(
        post(
            raw, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-request-id: mine"
        )
    )
    status, headers, _ = client.answer()
    assert (status, headers["x-request-id"]) == (200, "mine")
    seen = stand.engine.seen[-1]
    assert seen.body == raw
    assert seen.headers["traceparent"].startswith("00-0af7651916cd43dd")
    assert seen.headers["x-request-id"] == "mine"
    assert seen.headers["accept-encoding"] == "identity"


def test_a_failed_stream_is_over_for_the_engine_too(stand: Stand) -> None:
    """After an error event nothing of the old answer can reach the next client."""
    stand.gateway.chat(**stream(["send", chunk(event("a")) + "zz\r\n"], ["hang"]))
    _, _, body = stand.gateway.chat(**stream(["send", STREAM_OK]))
    assert body == (event("a") + event("b") + DONE).encode()
