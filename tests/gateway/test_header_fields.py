"""What engine and client tell each other in header fields and error texts reaches the other side."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from gateway.header_fields import KEPT_FROM_CLIENT, KEPT_FROM_ENGINE, KEYS
from tests.gateway.process import ROOT, gateway
from tests.gateway.scripted_engine import DONE, END, ScriptedEngine, chunk, completion, event, whole
from tests.gateway.stand import Stand

ASKED = {
    "x-session-id": "s-1",
    "x-priority": "3",
    "x-data-parallel-rank": "1",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "tracestate": "a=b",
    "baggage": "k=v",
    "openai-organization": "org-1",
    "openai-project": "p-1",
    "x-stainless-retry-count": "1",
    "idempotency-key": "i-1",
    "accept-language": "de",
    "x-forwarded-for": "192.0.2.1",
    "user-agent": "somebody/1.0",
    "x-none-of-us-knows": "1",
}
TOLD = {
    "vary": "Origin",
    "x-served-by": "pod-7",
    "x-ratelimit-remaining-requests": "9",
    "openai-processing-ms": "12",
    "openai-version": "2020-10-01",
    "cache-control": "no-store",
    "deprecation": "true",
    "x-none-of-us-knows": "1",
}


def lines(fields: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items())


@pytest.mark.fault(91)
def test_request_fields_reach_the_engine(stand: Stand) -> None:
    """Sessions, priorities, traces and whatever an engine may read: with the client's own values."""
    stand.sent({}, *(f"{name}: {value}" for name, value in ASKED.items())).answer()
    seen = stand.engine.seen[0].headers
    assert {name: seen.get(name) for name in ASKED} == ASKED


@pytest.mark.fault(91)
@pytest.mark.parametrize("streamed", [True, False])
def test_answer_fields_reach_the_client(stand: Stand, streamed: bool) -> None:
    """What the engine says in its head, for streams and whole answers; ours are added only where it is
    silent.
    """
    script: list[list[Any]] = [["send", whole(200, completion(), extra=lines(TOLD))]]
    if streamed:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{lines(TOLD)}"
        script = [["send", head + "transfer-encoding: chunked\r\n\r\n" + chunk(event("a") + DONE) + END]]
    _, headers, _ = stand.gateway.chat(stream=streamed, script=script)
    got = {name.lower(): value for name, value in headers.items()}
    assert {name: got.get(name) for name in TOLD} == TOLD
    assert ("x-accel-buffering" in got) is streamed


def test_the_fingerprint_passes(stand: Stand) -> None:
    """The body is the engine's, `system_fingerprint` included."""
    body = completion().replace('"created": 1', '"created": 1, "system_fingerprint": "fp-1"')
    _, _, answer = stand.gateway.chat(script=[["send", whole(200, body)]])
    assert answer == body.encode()


@pytest.mark.fault(91)
def test_fields_that_stay_at_the_gateway(stand: Stand) -> None:
    """What belongs to one connection, to a browser or to the gateway does not reach the engine."""
    fixed = {"host", "content-length", "expect", "transfer-encoding", "content-encoding", "upgrade"}
    kept = [name.decode() for name in KEPT_FROM_ENGINE if name.decode() not in fixed | {"connection"}]
    fields = [f"{name}: planted" for name in kept]
    stand.sent({}, *fields, "connection: keep-alive, x-mine", "x-mine: planted").answer()
    seen = stand.engine.seen[0].headers
    assert {n for n, value in seen.items() if value == "planted"} == {
        "x-request-id"
    }  # a sane one of the client's
    assert "connection" not in seen


@pytest.mark.fault(91)
def test_fields_that_stay_with_the_engine(stand: Stand) -> None:
    """Nor does the client get what is true of the engine's connection, cookies or address only."""
    fixed = {"content-length", "transfer-encoding", "connection", "content-encoding", "upgrade"}
    fields = {name.decode(): "planted" for name in KEPT_FROM_CLIENT if name.decode() not in fixed}
    fields |= {"connection": "keep-alive, x-mine", "x-mine": "planted"}
    script = [["send", whole(200, completion(), extra=lines(fields))]]
    _, headers, _ = stand.gateway.chat(script=script)
    assert "planted" not in headers.values()


@pytest.mark.fault(91)
@pytest.mark.parametrize("settings", [{}, {"upstream_api_key": "sk-ours"}, {"gateway_api_keys": "k"}])
def test_keys_pass_only_where_they_are_the_engines(engine: ScriptedEngine, settings: dict[str, str]) -> None:
    """In any of the fields that carry keys."""
    keys = {name.decode(): "Bearer k" for name in KEYS}
    with gateway(engine.url, **settings) as running:
        assert running.ask("POST", "/v1/chat/completions", {"messages": []}, keys)[0] == 200
    seen = engine.seen[0].headers
    got = {name: seen[name] for name in keys if name in seen}
    ours = {"authorization": "Bearer sk-ours"} if "upstream_api_key" in settings else {}
    assert got == (ours if settings else keys)


def test_a_client_cannot_name_fields_that_the_gateway_needs(stand: Stand) -> None:
    """`Connection: x-request-id` takes the client's away, not the gateway's."""
    stand.sent({}, "connection: keep-alive, x-request-id, content-length").answer()
    seen = stand.engine.seen[0].headers
    assert len(seen["x-request-id"]) == 32
    assert int(seen["content-length"]) == len(stand.engine.seen[0].body)


FAILURES = [
    (500, '{"error":{"message":"CUDA error."}}', "application/json", 502, "status 500: CUDA error. "),
    (500, '{"detail":"CUDA error"}', "application/json", 502, "status 500: CUDA error."),
    (500, "out of\n memory", "text/plain; charset=utf-8", 502, "status 500: out of memory."),
    (500, "<p>secret", "text/html", 502, "The engine failed with status 500."),
    (500, "", "application/json", 502, "The engine failed with status 500."),
    (500, '{"error":{"message":"key sk-ours"}}', "application/json", 502, "status 500: key ***."),
    (500, '{"error":"' + "x" * 9000 + '"}', "application/json", 502, "x" * 500 + "."),
    (429, '{"error":{"message":"queue is full"}}', "application/json", 503, "is overloaded: queue is full."),
    (503, '{"message":"loading","type":"error"}', "application/json", 503, "is overloaded: loading."),
    (422, "missing field `model`", "text/plain", 422, "status 422: missing field `model`."),
    (404, "<p>secret", "text/html", 404, "The engine refused the request with status 404."),
]


@pytest.mark.fault(92)
@pytest.mark.parametrize(("status", "body", "kind", "told", "text"), FAILURES)
def test_the_engines_own_words(keyed: Stand, status: int, body: str, kind: str, told: int, text: str) -> None:
    """An error that the gateway puts into its own form still says what the engine said, and no key."""
    got, _, answer = keyed.gateway.chat(script=[["send", whole(status, body, kind)]])
    message = json.loads(answer)["error"]["message"]
    assert got == told
    assert text.strip() in message
    assert "secret" not in message
    assert "sk-ours" not in message


@pytest.mark.fault(92)
def test_words_that_do_not_come_are_not_waited_for(stand: Stand) -> None:
    """A failure whose text hangs or breaks off is told without it."""
    head = "HTTP/1.1 500 X\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n"
    for end in (["hang"], ["close"]):
        status, _, answer = stand.gateway.chat(script=[["send", head], end])
        assert (status, json.loads(answer)["error"]["message"]) == (502, "The engine failed with status 500.")


@pytest.mark.fault(92)
@pytest.mark.parametrize("code", [400, 503, 500])
def test_the_words_of_an_error_under_a_200(keyed: Stand, code: int) -> None:
    """Also where the engine answers 200 with an error in it."""
    body = json.dumps({"error": {"message": "too long for sk-ours", "code": code}})
    _, _, answer = keyed.gateway.chat(script=[["send", whole(200, body)]])
    assert "too long for ***" in json.loads(answer)["error"]["message"]


@pytest.mark.fault(92)
def test_an_early_error_is_told_with_all_that_the_engine_says(stand: Stand) -> None:
    """vLLM finds some mistakes only when the stream has begun: a 400, with its type, field and code."""
    error = {"message": "too many logprobs", "type": "BadRequestError", "param": "logprobs", "code": 400}
    sent = f"data: {json.dumps({'error': error})}\n\n"
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    script = [["send", head + chunk(sent + DONE) + END]]
    status, _, answer = stand.gateway.chat(stream=True, script=script)
    assert (status, json.loads(answer)["error"]) == (400, error)


@pytest.fixture(scope="module")
def keyed() -> Iterator[Stand]:
    with ScriptedEngine() as engine, gateway(engine.url, upstream_api_key="sk-ours") as running:
        yield Stand(running, engine)


def kept_table(kept: Mapping[bytes, str]) -> str:
    """Fields and reason, as they must stand in docs/request-lifecycle.md."""
    names: dict[str, list[str]] = {}
    for name, why in kept.items():
        names.setdefault(why, []).append(f"`{name.decode()}`")
    rows = [f"| {', '.join(fields)} | {why} |" for why, fields in names.items()]
    return "\n".join(["| field | why it stays |", "|---|---|", *rows])


@pytest.mark.parametrize("kept", [KEPT_FROM_ENGINE, KEPT_FROM_CLIENT])
def test_every_field_that_stays_is_documented(kept: Mapping[bytes, str]) -> None:
    """Each with its reason, in the words of the code."""
    assert kept_table(kept) in (ROOT / "docs" / "request-lifecycle.md").read_text()
