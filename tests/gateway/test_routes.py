"""Every route of the table, at the wire: what it takes, what it tells, and every fault of an engine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.chunked import content
from gateway.outcome import Route
from gateway.served import ALIASES, BY_PATH, SERVED
from tests.gateway.apis import ALL, CHAT, MESSAGES, RESPONSES, STREAMED, Api, Streamed, named
from tests.gateway.process import GatewayProcess, gateway, until
from tests.gateway.scripted_engine import END, SSE_HEAD, ScriptedEngine, chunk, whole
from tests.gateway.stand import FAULT_SETTINGS, Raw, Stand, post
from tests.gateway.with_lanes import ALICE, gateway_with, key, lane_of

HANG: list[Any] = ["hang"]
NEW = tuple(api for api in ALL if api is not CHAT)


@pytest.fixture(scope="module")
def wide() -> Iterator[Stand]:
    """As the stand of faults, with room for all of them at once."""
    spans = {"ttft_timeout_s": 1.2, "idle_timeout_s": 1.2, "request_timeout_s": 2.5}
    settings = FAULT_SETTINGS | spans | {"max_active": 200}
    with ScriptedEngine(models=("tiny",)) as engine, gateway(engine.url, **settings) as running:
        yield Stand(running, engine)


@pytest.fixture
def stand(wide: Stand) -> Iterator[Stand]:
    wide.begin()
    yield wide
    wide.must_be_as_new()


def ask(
    running: GatewayProcess, api: Api, script: Sequence[Any] | None = None, **fields: Any
) -> tuple[int, dict[str, str], bytes]:
    """One request of that API."""
    return running.ask("POST", api.path, _asked(api, script, **fields))


def _asked(api: Api, script: Sequence[Any] | None, **fields: Any) -> dict[str, Any]:
    """A body; with the usage, where a stream of chats would else be without."""
    asked = {**api.body, **fields} | ({} if script is None else {"script": script})
    if api is CHAT and fields.get("stream"):
        asked["stream_options"] = {"include_usage": True}
    return asked


def streamed(api: Api, *steps: Any) -> list[Any]:
    """A stream that has begun, up to its first piece, and what comes then."""
    events = stream_of(api)
    return [["send", SSE_HEAD + chunk(events.before) + chunk(events.pieces[0])], *steps]


def stream_of(api: Api) -> Streamed:
    assert api.stream is not None
    return api.stream


def names(apis: Sequence[Api]) -> list[str]:
    return [api.name for api in apis]


def test_every_row_of_the_table_is_tried() -> None:
    """A route without a test would be one that nobody has seen work; completions have tests of their own."""
    assert {api.served for api in ALL} == {row for row in SERVED if row.route is not Route.COMPLETIONS}
    assert len(BY_PATH) == len(SERVED) + len(ALIASES)


@pytest.mark.parametrize("api", ALL, ids=names(ALL))
def test_a_whole_answer(stand: Stand, api: Api) -> None:
    """The engine hears the same body at the same path, the client its answer; counted with its tokens and
    under its route, with slots where the engine runs sequences.
    """
    tokens = [stand.gateway.metric("gateway_tokens_total")]
    waits = stand.gateway.metric("gateway_queue_wait_seconds_count")
    status, headers, body = ask(stand.gateway, api, [["send", whole(200, api.answer)]])
    assert (status, body) == (200, api.answer.encode())
    assert headers["x-gateway-limits-version"] == "1"
    assert stand.engine.seen[-1].path == api.path
    assert stand.engine.seen[-1].fields.items() >= dict(api.body).items()
    until(lambda: stand.outcomes() == {"ok": 1}, 3)
    assert stand.gateway.metric("gateway_tokens_total") - tokens[0] == sum(api.tokens)
    assert f'route="{api.name}",outcome="ok",code="200"' in stand.gateway.get("/metrics")[2].decode()
    ran = stand.gateway.metric("gateway_queue_wait_seconds_count") - waits
    assert ran == (1 if api.served.takes_slots else 0)


@pytest.mark.parametrize("path", [row.path.decode() for row in ALIASES])
def test_other_names_of_a_path(stand: Stand, path: str) -> None:
    """The engine is asked at the one that the client asked."""
    answer = whole(200, '{"data":[]}')
    assert stand.gateway.ask("POST", path, {"script": [["send", answer]]})[0] == 200
    assert stand.engine.seen[-1].path == path
    stand.ended(ok=1)


@pytest.mark.parametrize("api", STREAMED, ids=names(STREAMED))
@pytest.mark.parametrize("cut", ["pieces", "at once", "bytes"])
def test_a_stream(stand: Stand, api: Api, cut: str) -> None:
    """Byte for byte, however it comes; with a time to the first token, the tokens told, and one wait between
    two pieces.
    """
    events = stream_of(api)
    before = {name: stand.gateway.metric(name) for name in _COUNTED}
    parts = [events.before, *events.pieces, events.end]
    gate = f"{api.name} {cut}"
    if cut == "pieces":
        steps: list[Any] = [["send", chunk(part)] for part in parts]
        steps.insert(2, ["gate", gate])
    else:
        text = "".join(parts)
        steps = [["send", chunk(text) if cut == "at once" else "".join(map(chunk, text))]]
    asked = post(_asked(api, [["send", SSE_HEAD], *steps, ["send", END]], stream=True), path=api.path)
    client = stand.client()
    client.send(asked)
    head = client.read_until(b"\r\n\r\n")
    assert b"content-type: text/event-stream" in head
    body = client.read_until(b"hel")
    stand.engine.open_gate(gate)
    body += client.read_until(b"\r\n0\r\n\r\n")
    assert content(body.removesuffix(b"0\r\n\r\n")).decode() == "".join(parts)
    stand.ended(ok=1)
    now = {name: stand.gateway.metric(name) - before[name] for name in _COUNTED}
    assert now.pop("gateway_inter_token_seconds_count") == (1 if cut == "pieces" else 0)
    assert now == {"gateway_ttft_seconds_count": 1, "gateway_tokens_total": sum(api.tokens)}


_COUNTED = ("gateway_ttft_seconds_count", "gateway_tokens_total", "gateway_inter_token_seconds_count")


def response_call() -> str:
    item = {"type": "function_call", "name": "f", "arguments": "", "call_id": "c"}
    return named("response.output_item.added", sequence_number=2, output_index=0, item=item)


def message_call() -> str:
    block = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
    return named("content_block_start", index=0, content_block=block)


FIRSTS = {
    "responses, a call": (RESPONSES, response_call()),
    "responses, arguments": (RESPONSES, named("response.function_call_arguments.delta", delta="{")),
    "responses, thoughts": (RESPONSES, named("response.reasoning_text.delta", delta="hm")),
    "responses, refusal": (RESPONSES, named("response.refusal.delta", delta="no")),
    "messages, a call": (MESSAGES, message_call()),
    "messages, arguments": (MESSAGES, named("content_block_delta", delta={"partial_json": "{"})),
    "messages, thoughts": (MESSAGES, named("content_block_delta", delta={"thinking": "hm"})),
}


@pytest.mark.parametrize("first", FIRSTS)
def test_what_is_a_first_token(stand: Stand, first: str) -> None:
    """Text, thoughts, arguments, the name of a tool: each has a time to first token."""
    api, said = FIRSTS[first]
    before = stand.gateway.metric("gateway_ttft_seconds_count")
    events = stream_of(api)
    text = chunk(events.before + said + events.end) + END
    assert ask(stand.gateway, api, [["send", SSE_HEAD + text]], stream=True)[0] == 200
    stand.ended(ok=1)
    assert stand.gateway.metric("gateway_ttft_seconds_count") - before == 1


@dataclass(frozen=True)
class Fault:
    """What an engine does, and what the client gets: a status, under a 200 an error event of that code.

    code: of the error, "" for none of ours; outcome: how it is counted.
    """

    script: list[Any]
    status: int
    code: str
    outcome: str
    stream: bool = False


OVERLOAD = {MESSAGES.served.errors: 529}


def whole_faults(api: Api) -> dict[str, Fault]:
    """Of a whole answer."""
    overloaded = OVERLOAD.get(api.served.errors, 503)
    short = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{}"
    compressed = whole(200, "x", extra="content-encoding: gzip\r\n")
    return {
        "never answers": Fault([HANG], 504, "upstream_timeout", "upstream_timeout"),
        "its own 400": Fault([["send", whole(400, api.error)]], 400, "", "invalid"),
        "its own 404 in HTML": Fault([["send", whole(404, "<p>", "text/html")]], 404, "invalid", "invalid"),
        "full": Fault([["send", whole(429, "{}")]], overloaded, "upstream_overloaded", "upstream_overloaded"),
        "overloaded": Fault(
            [["send", whole(503, "{}")]], overloaded, "upstream_overloaded", "upstream_overloaded"
        ),
        "its 500": Fault(
            [["send", whole(500, "<b>secret</b>", "text/html")]], 502, "upstream_error", "upstream_error"
        ),
        "redirect": Fault(
            [["send", whole(302, "", extra="location: /x\r\n")]], 502, "upstream_error", "upstream_error"
        ),
        "an error under a 200": Fault(
            [["send", whole(200, '{"error":{"message":"no"}}')]], 502, "upstream_error", "upstream_error"
        ),
        "no JSON": Fault([["send", whole(200, "hello")]], 502, "upstream_error", "upstream_error"),
        "garbage": Fault([["send", "SSH-2.0\r\n"], HANG], 502, "upstream_error", "upstream_error"),
        "compressed": Fault([["send", compressed]], 502, "upstream_error", "upstream_error"),
        "a body that is short": Fault(
            [["send", short], ["close"]], 502, "upstream_truncated", "upstream_truncated"
        ),
        "closes": Fault([["close"]], 502, "upstream_error", "upstream_error"),
    }


def stream_faults(api: Api) -> dict[str, Fault]:
    """Of a stream; with an error event where the client has begun to read."""
    events = stream_of(api)
    begun = SSE_HEAD + chunk(events.before)
    torn = chunk(events.pieces[1][:30])
    cut = ("upstream_truncated", "upstream_truncated")
    late = ("upstream_timeout", "upstream_timeout")
    faults = {
        "never answers": Fault([HANG], 504, *late),
        "head, then silence": Fault([["send", SSE_HEAD], HANG], 504, *late),
        "silence between tokens": Fault(streamed(api, HANG), 200, *late),
        "death within an event": Fault(streamed(api, ["send", torn], ["close"]), 200, *cut),
        "death between events": Fault(streamed(api, ["close"]), 200, *cut),
        "reset between events": Fault(streamed(api, ["wait", 0.05], ["reset"]), 200, *cut),
        "end without its mark": Fault(streamed(api, ["send", END]), 200, *cut),
        "a bad chunk size": Fault(streamed(api, ["send", "zz\r\nboom\r\n"], HANG), 200, *cut),
        "an error event": Fault(
            streamed(api, ["wait", 0.05], ["send", chunk(events.after) + END]), 200, "", "upstream_error"
        ),
        "an error event first": Fault(
            [["send", SSE_HEAD + chunk(events.after) + END]], 502, "upstream_error", "upstream_error"
        ),
        "more after its end": Fault(
            streamed(api, ["send", chunk(events.end + events.pieces[0])], HANG), 200, "", "ok"
        ),
        "no stream": Fault([["send", whole(200, api.answer)]], 502, "upstream_error", "upstream_error"),
    }
    if api is not CHAT:
        faults["events before the first token, then silence"] = Fault([["send", begun], HANG], 200, *late)
    return {f"stream: {name}": replace(fault, stream=True) for name, fault in faults.items()}


@pytest.mark.fault(16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 36, 92)
def test_every_fault_of_an_engine(stand: Stand) -> None:
    """All of them at once, for every route: the status, the form and the wait that its clients look for."""
    faults: dict[str, tuple[Api, Fault]] = {}
    for api in ALL:
        found = whole_faults(api) | (stream_faults(api) if api.stream is not None else {})
        faults |= {f"{api.name}, {name}": (api, fault) for name, fault in found.items()}
    with ThreadPoolExecutor(len(faults)) as pool:
        asked = {
            name: pool.submit(ask, stand.gateway, api, fault.script, stream=fault.stream)
            for name, (api, fault) in faults.items()
        }
        wrong = {name: _wrong(*faults[name], told.result()) for name, told in asked.items()}
    assert not [f"{name}: {why}" for name, why in wrong.items() if why]
    stand.ended(**Counter(fault.outcome for _, fault in faults.values()))


def _wrong(api: Api, fault: Fault, told: tuple[int, dict[str, str], bytes]) -> str:
    """What is not as it should be; "" where all is."""
    status, headers, body = told
    if status != fault.status:
        return f"{status} {body!r}"
    if status == 200:
        return _wrong_stream(api, fault, body.decode())
    if not fault.code:
        return "" if body.decode() == api.error else f"{body!r}"
    error = api.error_of(body)
    if b"secret" in body or (error["code"], headers["x-gateway-outcome"]) != (fault.code, fault.outcome):
        return f"{headers} {error}"
    if fault.outcome == "upstream_overloaded" and not 1 <= int(headers["retry-after"]) <= 120:
        return f"no wait: {headers}"
    return ""


def _wrong_stream(api: Api, fault: Fault, body: str) -> str:
    events = stream_of(api)
    if (events.ends in body) is not (fault.outcome == "ok"):
        return f"its end: {body}"
    if not fault.code:
        expected = events.before + events.pieces[0] + (events.end if fault.outcome == "ok" else events.after)
        return "" if body == expected else body
    last = body.split("\n\n")[-2]
    name, _, data = last.rpartition("data: ")
    error = json.loads(data)
    seen = body.count("data: ") - 1
    if api is CHAT:
        return "" if not name and error["error"]["code"] == fault.code else last
    if name != "event: error\n" or error["type"] != "error" or error["error"]["code"] != fault.code:
        return last
    if api is RESPONSES and (error["code"], error["sequence_number"]) != (fault.code, seen):
        return last
    return ""


@pytest.mark.fault(43, 47, 51, 52, 53)
@pytest.mark.parametrize("api", NEW, ids=names(NEW))
def test_every_fault_of_a_request(stand: Stand, api: Api) -> None:
    """Bodies, types, methods and sizes are judged as for chats, in the form of the API."""
    large = b'{"x":"' + b"y" * FAULT_SETTINGS["max_body_bytes"] + b'"}'
    given = {400: b"{", 413: large}
    for status, body in given.items():
        client = stand.client()
        client.send(post(body, path=api.path))
        told, _, answer = client.answer()
        assert told == status
        api.error_of(answer)
    client = stand.client()
    client.send(post(b"[]", path=api.path))
    assert client.answer()[0] == 400
    client = stand.client()
    client.send(post({}, path=api.path).replace(b"application/json", b"text/plain"))
    assert client.answer()[0] == 415
    status, headers, body = stand.gateway.get(api.path)
    assert (status, headers["allow"]) == (405, "POST")
    api.error_of(body)
    stand.ended(invalid=3, too_large=1)


@pytest.mark.fault(7, 9)
@pytest.mark.parametrize("api", NEW, ids=names(NEW))
def test_a_client_that_leaves(stand: Stand, api: Api) -> None:
    """Before the answer, or within a stream: the engine's connection is closed, the slot is free."""
    scripts: list[list[Any]] = [[HANG]] + ([streamed(api, HANG)] if api.stream else [])
    for script in scripts:
        client = stand.client()
        client.send(post({**api.body, "stream": True, "script": script}, path=api.path))
        until(lambda: stand.engine.running == 1, 3)
        if len(script) > 1:
            client.read_until(b"hel")
        client.reset()
        until(lambda: stand.engine.running == 0, 3)
    stand.ended(client_abort=len(scripts))


@pytest.fixture(scope="module")
def tight() -> Iterator[tuple[GatewayProcess, ScriptedEngine]]:
    """One slot and one place in the queue."""
    settings = {"max_active": 1, "queue_max": 1, "queue_timeout_s": 0.3, "gateway_api_keys": "k"}
    with ScriptedEngine() as engine, gateway(engine.url, **settings) as running:
        yield running, engine


@pytest.mark.fault(50)
@pytest.mark.parametrize("api", NEW, ids=names(NEW))
def test_refusals_in_the_form_of_each_api(tight: tuple[GatewayProcess, ScriptedEngine], api: Api) -> None:
    """Full, too long in the queue, without a key: the status and type that its SDK knows, with a wait where
    waiting helps.
    """
    running, engine = tight
    ours = api.served.errors is MESSAGES.served.errors
    key = {"x-api-key": "k"}
    held = [Raw(running.port) for _ in range(1 if api.served.takes_slots else 2)]
    for client in held:
        client.send(post({**api.body, "script": [HANG]}, "x-api-key: k", path=api.path))
    until(lambda: engine.running == len(held), 5)
    with ThreadPoolExecutor(1) as pool:
        if api.served.takes_slots:
            waiting = pool.submit(running.ask, "POST", api.path, api.body, key)
            until(lambda: running.state()["queued"] == 1, 5)
        status, headers, body = running.ask("POST", api.path, api.body, key)
        assert (status, api.error_of(body)["type"]) == (429, "rate_limit_error")
        assert int(headers["retry-after"]) * 1000 >= int(headers["retry-after-ms"]) >= 1
        assert api.error_of(body)["retry_after_s"] > 0
        if api.served.takes_slots:
            late = waiting.result()
            assert (late[0], api.error_of(late[2])["code"]) == (529 if ours else 503, "queue_timeout")
    status, _, body = running.ask("POST", api.path, api.body)
    assert (status, api.error_of(body)["type"]) == (401, "authentication_error")
    for client in held:
        client.close()
    until(lambda: engine.running == 0, 5)


def test_lanes_budgets_and_rows_hold_for_every_route(engine: ScriptedEngine, tmp_path: Path) -> None:
    """The key says the lane, whose tokens are counted and whose slots are bounded, and each request is a row
    with its sizes and times; what only counts is in the lane, and takes nothing of it.
    """
    settings: dict[str, Any] = {"record_dir": tmp_path / "rows", "slot_cost": "tokens", "kv_tokens": 10_000}
    with gateway_with(engine, tmp_path, **settings) as running:
        for api in ALL:
            answer = {"script": [["send", whole(200, api.answer)]]}
            status, headers, body = running.ask("POST", api.path, {**api.body, **answer}, key(ALICE))
            assert (status, lane_of(headers)) == (200, "alice/interactive"), body
        for api in STREAMED:
            events = stream_of(api)
            parts = "".join((events.before, *events.pieces, events.end))
            script = [["send", SSE_HEAD + chunk(parts) + END]]
            asked = _asked(api, script, stream=True)
            assert running.ask("POST", api.path, asked, key(ALICE))[0] == 200
        assert running.ask("POST", MESSAGES.path, MESSAGES.body, {"x-api-key": "nobody"})[0] == 200
        until(lambda: running.state()["in_flight"] == 0, 5)
        page = running.get("/metrics")[2].decode()
        lane = 'tenant="alice",priority_class="interactive"'
        prompt = sum(api.tokens[0] for api in (*ALL, *STREAMED))
        output = sum(api.tokens[1] for api in (*ALL, *STREAMED))
        assert f'gateway_lane_tokens_total{{{lane},kind="prompt"}} {prompt}' in page
        assert f'gateway_lane_tokens_total{{{lane},kind="completion"}} {output}' in page
        assert f'gateway_lane_requests_total{{{lane},outcome="ok"}} {len(ALL) + len(STREAMED)}' in page
        assert running.state()["kv_tokens"]["held"] == 0
        assert all(row["held"] == 0 for row in running.state()["lanes"].values() if "held" in row)
        rows = until(lambda: _rows(tmp_path / "rows", len(ALL) + len(STREAMED) + 1), 5)
    for api, row in zip((*ALL, *STREAMED), rows, strict=False):
        assert (row["route"], row["outcome"], row["lane"]) == (api.name, "ok", "alice/interactive")
        told = (row["prompt_tokens"] or 0, row["output_tokens"] or 0)
        assert told == api.tokens
        assert row["prompt_bytes"] > 0
        assert row["slots"] == (0 if not api.served.takes_slots else api.served.sequences(api.body)[0])
        assert (row["queue_s"] is None) is not api.served.takes_slots
    assert all(row["first_s"] is not None for row in rows[len(ALL) : -1])


def _rows(folder: Path, count: int) -> list[dict[str, Any]]:
    """All of them, once there are so many."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    rows = [json.loads(line) for line in lines if line.endswith(("]", "}"))]
    columns = rows[0]["columns"] if rows else []
    found = [dict(zip(columns, row, strict=True)) for row in rows[1:]]
    return found if len(found) == count else []
