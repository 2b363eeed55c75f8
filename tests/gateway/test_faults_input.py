"""Requests that are wrong: the right status, an OpenAI-shaped body, no slot
taken, nothing sent to the engine, counted.
"""

import gzip
import json
import time
from functools import partial
from typing import Any

import pytest

from gateway.request_body import BodyRules, parse
from gateway.served import COMPLETIONS
from tests.gateway.process import GatewayProcess, gateway, until
from tests.gateway.scripted_engine import DONE, END, SSE_HEAD, ScriptedEngine, chunk, event, whole
from tests.gateway.stand import SERVED, Raw, Stand, post


def refused(
    stand: Stand, body: bytes, status: int = 400, *more: str, outcome: str = "invalid"
) -> dict[str, Any]:
    """Posts `body`; checks status, form and that the engine saw nothing. Returns the error."""
    client = stand.client()
    client.send(post(body, *more))
    got, headers, answer = client.answer()
    error = json.loads(answer)["error"]
    assert got == status, answer
    assert headers["x-gateway-outcome"] == outcome == error["code"]
    assert headers["content-type"] == "application/json"
    assert set(error) >= {"message", "type", "param", "code"}
    assert not stand.engine.seen
    stand.ended(**{outcome: 1})
    return dict(error)


@pytest.mark.fault(43)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"messages": [',
        b'{"messages":[]} x',
        '{"messages":[]}'.encode("utf-16"),
    ],
    ids=["empty", "cut", "trailing", "utf-16"],
)
def test_a_body_that_is_not_json(stand: Stand, body: bytes) -> None:
    """Empty, cut short, with a tail, in another encoding: 400, which says where it goes wrong."""
    assert "line 1 column" in refused(stand, body)["message"]


@pytest.mark.fault(43)
def test_a_byte_order_mark(stand: Stand) -> None:
    """Some clients write one before the JSON: it is dropped, the rest goes on unchanged."""
    body = b'{"messages":[],"user":"u"}'
    client = stand.client()
    client.send(post(b"\xef\xbb\xbf" + body))
    assert client.answer()[0] == 200
    assert stand.engine.seen[0].body == body


@pytest.mark.fault(44)
@pytest.mark.parametrize("body", [b'{"messages":[],"user":"\xff\xfe"}', b'{"messages":[],"user":"\\ud800"}'])
def test_text_that_is_not_unicode(stand: Stand, body: bytes) -> None:
    """Invalid UTF-8 and a lone surrogate: 400, also in fields the gateway does not use."""
    refused(stand, body)


@pytest.mark.fault(45)
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_json_does_not_have(stand: Stand, number: str) -> None:
    """NaN, Infinity and numbers beyond every double: 400, never forwarded."""
    refused(stand, b'{"messages":[],"temperature":' + number.encode() + b"}")


@pytest.mark.fault(45)
def test_a_long_integer_is_not_re_encoded(stand: Stand) -> None:
    """An integer of 5,000 digits is refused or forwarded byte for byte, never rounded."""
    body = b'{"messages":[],"x":' + b"7" * 5000 + b"}"
    client = stand.client()
    client.send(post(body))
    status = client.answer()[0]
    assert status in (200, 400)
    assert all(seen.body == body for seen in stand.engine.seen)


@pytest.mark.fault(46)
@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_deep_nesting(stand: Stand, bracket: bytes) -> None:
    """100,000 levels: 400 at once, no crash."""
    started_s = time.monotonic()
    refused(stand, b'{"messages":[],"x":' + bracket * 100_000 + b"1")
    assert time.monotonic() - started_s < 2


@pytest.mark.fault(47)
@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"x"', b"true"])
def test_json_that_is_no_object(stand: Stand, body: bytes) -> None:
    """Any JSON value but an object: 400."""
    assert "object" in refused(stand, body)["message"]


@pytest.mark.fault(48)
def test_duplicate_keys(stand: Stand) -> None:
    """Of two equal keys the last one counts, here and at the engine, which gets the bytes as they came."""
    body = b'{"messages":[],"stream":true,"stream":false,"model":"other","model":"tiny"}'
    client = stand.client()
    client.send(post(body))
    assert client.answer()[0] == 200
    assert stand.engine.seen[0].body == body
    stand.ended(ok=1)


@pytest.mark.fault(49)
@pytest.mark.parametrize("n", [1e9, 129, "129", 10**30])
def test_more_choices_than_are_served(stand: Stand, n: Any) -> None:
    """More sequences than MAX_CHOICES: 400 that names the field and the setting."""
    error = refused(stand, json.dumps({"messages": [], "n": n}).encode())
    assert error["param"] == "n"
    assert "MAX_CHOICES" in error["message"]


REFUSED_BY_ENGINE = '{"error":{"message":"no","type":"BadRequestError","param":null,"code":404}}'


ODD_STREAMS: tuple[object, ...] = ("maybe", 2, [])
ODD_COUNTS: tuple[object, ...] = (0, -1, "two", 1.5, {})


@pytest.mark.fault(49)
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        *(("/v1/chat/completions", {"stream": value}) for value in ODD_STREAMS),
        *(("/v1/chat/completions", {"n": value}) for value in ODD_COUNTS),
        ("/v1/chat/completions", {"max_tokens": 0}),
        ("/v1/chat/completions", {"max_completion_tokens": "x"}),
        ("/v1/chat/completions", {"messages": "hi"}),
        ("/v1/chat/completions", {"model": 7}),
        ("/v1/chat/completions", {"model": "gpt-9"}),
        ("/v1/chat/completions", {"stream": True, "stream_options": 5}),
        ("/v1/chat/completions", {"stream": True, "stream_options": {"include_usage": "maybe"}}),
        ("/v1/completions", {}),
        ("/v1/completions", {"prompt": 5}),
        ("/v1/completions", {"prompt": []}),
    ],
)
def test_what_the_engine_refuses_is_the_engines_to_refuse(
    stand: Stand, path: str, fields: dict[str, Any]
) -> None:
    """Fields of the wrong kind and unknown models go to the engine unchanged, and its answer comes back."""
    until(lambda: "tiny" in stand.gateway.get("/v1/models")[2].decode())
    body = json.dumps(
        {"messages": [], **fields, "script": [["send", whole(404, REFUSED_BY_ENGINE)]]}
    ).encode()
    client = stand.client()
    client.send(post(body, path=path))
    status, _, answer = client.answer()
    assert (status, answer.decode()) == (404, REFUSED_BY_ENGINE)
    assert stand.engine.seen[0].body == body
    stand.ended(invalid=1)


@pytest.mark.fault(49)
@pytest.mark.parametrize(
    ("value", "streamed"), [("true", True), ("yes", True), (1, True), (1.0, True), ("off", False), (0, False)]
)
def test_stream_is_read_as_the_engine_reads_it(stand: Stand, value: Any, streamed: bool) -> None:
    """vLLM's classes read truth values leniently, and so a stream is relayed as one."""
    answer = [["send", SSE_HEAD], ["send", chunk(event("x") + DONE)], ["send", END]] if streamed else SERVED
    client = stand.sent({"stream": value, "script": answer})
    head = client.read_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert (b"text/event-stream" in head) is streamed
    if streamed:
        client.read_until(b"[DONE]")
    stand.ended(ok=1)


def test_an_empty_object_gets_its_model(engine: ScriptedEngine) -> None:
    """What is added to `{}` makes a JSON object too."""
    with gateway(engine.url, model_name="tiny") as running:
        assert running.ask("POST", "/v1/chat/completions", {})[0] == 200
    assert engine.seen[0].fields == {"model": "tiny"}


def test_a_list_of_models(engine: ScriptedEngine) -> None:
    """Only with ALLOWED_MODELS does the gateway itself say `model_not_found`, with the names there are."""
    engine.models = ("tiny", "secret")
    with gateway(engine.url, allowed_models="tiny, other", probe_interval_s=0.1) as running:
        status, _, body = running.chat(model="gpt-9")
        error = json.loads(body)["error"]
        assert (status, error["code"], error["param"]) == (404, "model_not_found", "model")
        assert "other, tiny" in error["message"]
        assert not engine.seen
        assert running.chat(model="other")[0] == running.chat()[0] == 200
        until(lambda: running.get("/v1/models")[0] == 200)
        listed = json.loads(running.get("/v1/models")[2])["data"]
        assert [model["id"] for model in listed] == ["tiny"]
        assert running.get("/v1/models/secret")[0] == 404


def test_usage_need_not_be_asked_for(engine: ScriptedEngine) -> None:
    """ASK_USAGE=false: an engine that refuses `stream_options` gets the client's bytes."""
    with gateway(engine.url, ask_usage="false") as running:
        assert running.chat(stream=True)[0] == 200
    assert engine.seen[0].fields == {"messages": [], "stream": True}


@pytest.mark.fault(50)
def test_n_counts_as_slots(stand: Stand) -> None:
    """n=2 holds two slots, and n above MAX_ACTIVE holds all of them."""
    for n in (2, 8):
        client = stand.sent({"n": n, "script": [["gate", f"n{n}"], *SERVED]})
        stand.engine_has(1)
        assert stand.gateway.state()["active"] == 2
        assert stand.gateway.state()["running"] == 1
        stand.engine.open_gate(f"n{n}")
        assert client.answer()[0] == 200
        stand.engine.seen.clear()
    stand.ended(ok=2)


@pytest.mark.fault(51)
def test_a_body_announced_too_large(stand: Stand) -> None:
    """A content-length over the bound: 413 before the body is read, even while the client still sends."""
    client = stand.client()
    client.send(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n"
        b"content-length: 9999999\r\n\r\n" + b"x" * 100_000
    )
    status, headers, _ = client.answer()
    assert (status, headers["connection"]) == (413, "close")
    stand.ended(too_large=1)


@pytest.mark.fault(51)
def test_a_chunked_body_that_grows_too_large(stand: Stand) -> None:
    """Chunked, without a length: 413 when the bound is crossed."""
    client = stand.client()
    client.send(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    for _ in range(50):
        client.send(piece)
    assert client.answer()[0] == 413
    stand.ended(too_large=1)


@pytest.mark.fault(52)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_the_wrong_content_type(stand: Stand, kind: str) -> None:
    """Anything but application/json, and nothing at all: 415."""
    client = stand.client()
    field = f"content-type: {kind}\r\n" if kind else ""
    client.send(
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n{field}content-length: 2\r\n\r\n{{}}".encode()
    )
    assert client.answer()[0] == 415
    stand.ended(invalid=1)


@pytest.mark.fault(52)
def test_a_compressed_body(stand: Stand) -> None:
    """Content-Encoding is refused, so that no bomb is ever unpacked: 415."""
    refused(stand, gzip.compress(b"0" * 1_000_000), 415, "content-encoding: gzip")


@pytest.mark.fault(53)
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/health", 405),
        ("POST", "/v1/nothing", 404),
        ("GET", "/", 404),
    ],
)
def test_wrong_methods_and_paths(stand: Stand, method: str, path: str, status: int) -> None:
    """405 with Allow, 404: in the OpenAI form."""
    got, headers, body = stand.gateway.ask(method, path)
    assert got == status
    assert json.loads(body)["error"]["code"] == "invalid"
    assert status == 404 or headers["allow"]


@pytest.mark.fault(53)
def test_unknown_paths_share_one_label(stand: Stand) -> None:
    """A thousand paths do not make a thousand series."""
    before = stand.gateway.get("/metrics")[2].count(b"\ngateway_requests_total")
    for i in range(20):
        stand.gateway.get(f"/no/such/{i}")
    assert stand.gateway.get("/metrics")[2].count(b"\ngateway_requests_total") <= before + 1


@pytest.mark.fault(55)
def test_strange_ids_and_priorities(stand: Stand) -> None:
    """A request id that is not sane is replaced; priority, tenant
    and deadline fields are ignored, not trusted.
    """
    for value in ("a b", "x" * 500, "caf\xe9"):
        client = stand.client()
        fields = (f"x-request-id: {value}", "x-priority: -99999999999999999999", "x-tenant: " + "t" * 999)
        client.send(post({}, *fields))
        status, headers, _ = client.answer()
        assert status == 200
        assert len(headers["x-request-id"]) == 32
    before = stand.gateway.get("/metrics")[2].count(b"\n")
    for i in range(20):
        stand.gateway.ask("POST", "/v1/chat/completions", {"messages": []}, {"x-tenant": f"t{i}"})
    assert stand.gateway.get("/metrics")[2].count(b"\n") == before


def test_the_completions_route(stand: Stand) -> None:
    """`/v1/completions` is admitted and relayed like chat."""
    client = stand.client()
    client.send(post(b'{"model":"tiny","prompt":"x"}', path="/v1/completions"))
    assert client.answer()[0] == 200
    assert stand.engine.seen[0].path == "/v1/completions"


@pytest.mark.fault(50)
@pytest.mark.parametrize(
    ("fields", "slots"),
    [
        ({"prompt": ["a"] * 8}, 8),
        ({"prompt": [[1, 2], [3]]}, 2),
        ({"prompt": [1, 2, 3, 4]}, 1),
        ({"prompt": "a", "n": "3"}, 3),
        ({"prompt": ["a", "b"], "n": 3.0}, 6),
        ({"prompt": "a", "n": 2, "best_of": 5}, 5),
        ({"prompt": []}, 1),
        ({"prompt_embeds": ["AAAA", "AAAA"]}, 2),
        ({"prompt": "a", "n": 0}, 1),
    ],
)
def test_slots_are_sequences(fields: dict[str, Any], slots: int) -> None:
    """Each choice of each prompt is a sequence in the engine's batch, and takes a slot."""
    assert parse(json.dumps(fields).encode(), COMPLETIONS, BodyRules(128)).slots == slots


def _has_arrived(running: GatewayProcess, count: int) -> bool:
    state = running.state()
    return bool(state["running"] + state["queued"] == count)


def _is_active(running: GatewayProcess, slots: int) -> bool:
    return bool(running.state()["active"] == slots)


@pytest.mark.fault(50)
def test_a_list_of_prompts_takes_its_slots(engine: ScriptedEngine) -> None:
    """Eight prompts hold eight slots; more than MAX_ACTIVE run alone, and all that wait are served."""
    with gateway(engine.url, max_active=8, queue_max=20) as running:
        clients = [Raw(running.port) for _ in range(4)]
        for client, prompts in zip(clients, (5, 20, 8, 1), strict=True):
            fields = {"prompt": ["a"] * prompts, "script": [["gate", f"{prompts}"], *SERVED]}
            client.send(post(fields, path="/v1/completions"))
            arrived = clients.index(client) + 1
            until(partial(_has_arrived, running, arrived))
        for prompts, active in ((5, 5), (20, 8), (8, 8), (1, 1)):
            until(partial(_is_active, running, active))
            assert running.state()["running"] == 1
            engine.open_gate(f"{prompts}")
        assert [client.answer()[0] for client in clients] == [200] * 4
        client = clients[0]
        client.send(post({"prompt": ["a"] * 129}, path="/v1/completions"))
        status, _, body = client.answer()
        assert (status, json.loads(body)["error"]["param"]) == (400, "prompt")
        assert "MAX_CHOICES" in json.loads(body)["error"]["message"]
        for client in clients:
            client.close()
