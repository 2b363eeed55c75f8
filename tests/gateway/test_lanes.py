"""Lanes in the gateway process: whose request is whose, what a tenant over its tokens is told, what the
engine hears of it, and that no key is seen anywhere.
"""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.process import ROOT, GatewayProcess, gateway, until
from tests.gateway.scripted_engine import DONE, END, SSE_HEAD, ScriptedEngine, chunk, event, usage_event
from tests.gateway.stand import SERVED, Raw, post
from tests.gateway.with_lanes import ALICE, BOB, FRONT, LANES, ask, gateway_with, lane_of

STREAM_HELD: list[Any] = [
    ["send", SSE_HEAD],
    ["send", chunk(event("a"))],
    ["send", chunk(event("b"))],
    ["hang"],
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, ScriptedEngine]]:
    """One gateway for what changes nothing."""
    folder = tmp_path_factory.mktemp("lanes")
    with (
        ScriptedEngine(models=("tiny",)) as engine,
        gateway_with(engine, folder, log_level="debug") as running,
    ):
        until(lambda: running.get("/ready")[0] == 200)
        yield running, engine


@pytest.mark.fault(110)
@pytest.mark.parametrize(
    ("headers", "lane"),
    [
        ({"key": ALICE}, "alice/interactive"),
        ({"x_api_key": ALICE}, "alice/interactive"),
        ({"key": "nobody's", "x_api_key": BOB}, "bob/batch"),
        ({}, "other/batch"),
        ({"key": ALICE[:-1]}, "other/batch"),
        ({"key": ALICE, "x_headroom_tenant": "bob", "x_headroom_class": "batch"}, "alice/interactive"),
        ({"x_headroom_tenant": "alice"}, "other/batch"),
        ({"key": FRONT}, "front/interactive"),
        ({"key": FRONT, "x_headroom_tenant": "bob"}, "bob/batch"),
        ({"key": FRONT, "x_headroom_tenant": "alice"}, "alice/interactive"),
        ({"key": FRONT, "x_headroom_tenant": "alice", "x_headroom_class": "batch"}, "alice/batch"),
        ({"key": FRONT, "x_headroom_tenant": "bob", "x_headroom_class": "interactive"}, "bob/batch"),
        ({"key": FRONT, "x_headroom_tenant": "t" * 999, "x_headroom_class": "-9" * 99}, "other/batch"),
        ({"key": FRONT, "x_headroom_tenant": "caf\xe9"}, "other/batch"),
    ],
)
def test_who_is_in_which_lane(
    served: tuple[GatewayProcess, ScriptedEngine], headers: dict[str, str], lane: str
) -> None:
    """A key says it, or a trusted client; anybody else's word is nothing, and the engine hears of none."""
    running, engine = served
    engine.seen.clear()
    status, told, _ = ask(running, **headers)
    assert (status, lane_of(told), told["x-gateway-lanes-version"]) == (200, lane, "1")
    sent = engine.seen[0].headers
    assert not {"authorization", "x-api-key", "x-headroom-tenant", "x-headroom-class"} & set(sent)


@pytest.mark.fault(110)
def test_strangers_make_no_series_of_their_own(served: tuple[GatewayProcess, ScriptedEngine]) -> None:
    """However many keys and tenants are made up, memory and labels are those of the lanes that there are."""
    running, _ = served
    ask(running)
    running.get("/metrics")  # has a series of its own
    before = running.get("/metrics")[2].count(b"\n")
    for i in range(20):
        assert lane_of(ask(running, key=f"guess-{i}")[1]) == "other/batch"
        ask(running, key=FRONT, x_headroom_tenant=f"guess-{i}")
    assert running.get("/metrics")[2].count(b"\n") == before
    assert "guess" not in running.get("/metrics")[2].decode()


@pytest.mark.fault(97)
def test_no_key_is_seen_anywhere(served: tuple[GatewayProcess, ScriptedEngine]) -> None:
    """No page, no log line at level debug and no metric has one, nor its digest."""
    running, _ = served
    for one in (ALICE, BOB, FRONT):
        ask(running, key=one)
        assert running.get("/v1/models")[0] == 200
    until(lambda: '"lane":"bob/batch"' in running.log())
    pages = [
        running.get(path)[2].decode() for path in ("/metrics", "/health", "/admin/state", "/admin/lanes")
    ]
    digests = re.findall(r'"([0-9a-f]{64})"', LANES)
    assert len(digests) == 3
    for text in [*pages, running.log()]:
        assert not [secret for secret in (ALICE, BOB, FRONT, *digests) if secret in text]


def test_strangers_may_be_refused(engine: ScriptedEngine, tmp_path: Path) -> None:
    """`refuse_unknown`: a tenant's key and one of GATEWAY_API_KEYS pass, others get a 401."""
    lanes = "refuse_unknown = true\n" + LANES
    with gateway_with(engine, tmp_path, lanes, gateway_api_keys="plain,other") as running:
        told = [(ask(running, key=one)[0], ask(running, key=one)[1]) for one in (ALICE, "plain")]
        assert [(status, lane_of(headers)) for status, headers in told] == [
            (200, "alice/interactive"),
            (200, "other/batch"),
        ]
        for headers in ({}, {"key": "guess"}):
            status, answer, body = ask(running, **headers)
            assert (status, answer["x-gateway-outcome"]) == (401, "unauthorized")
            assert "Bearer KEY" in json.loads(body)["error"]["message"]
        assert running.get("/v1/models")[0] == 401
        running.ask("PUT", "/admin/lanes", {"classes": [], "lanes": []})
        assert ask(running, key="plain")[0] == 200
        assert ask(running, key=ALICE)[0] == 401
    with gateway_with(engine, tmp_path, "refuse_unknown = true\n" + LANES) as running:
        assert [ask(running, **headers)[0] for headers in ({}, {"key": BOB})] == [401, 200]


@pytest.mark.fault(111)
def test_a_tenant_over_its_tokens(engine: ScriptedEngine, tmp_path: Path) -> None:
    """Its 429 has a name of its own and a true wait: told to the client, and the next one then is served."""
    lanes = LANES.replace('name = "bob"\n', 'name = "bob"\ntokens_per_min = 6000\n')
    usage = {"prompt_tokens": 50, "completion_tokens": 6000}
    answer = json.dumps({"choices": [{"index": 0, "finish_reason": "stop"}], "usage": usage})
    script = [["send", f"HTTP/1.1 200 OK\r\ncontent-length: {len(answer)}\r\n\r\n{answer}"]]
    with gateway_with(engine, tmp_path, lanes, log_level="debug") as running:
        assert ask(running, {"script": script, "max_tokens": 6000}, key=BOB)[0] == 200
        status, headers, body = ask(running, key=BOB)
        asked_s = time.monotonic()
        error = json.loads(body)["error"]
        assert (status, headers["x-gateway-outcome"], error["code"]) == (429, "over_budget", "over_budget")
        assert (error["type"], lane_of(headers)) == ("rate_limit_error", "bob/batch")
        assert "bob/batch has used its 6000 tokens per minute. Retry in 0." in error["message"]
        assert 0 < error["retry_after_s"] <= 0.5
        assert headers["retry-after"] == "1"
        assert ask(running, key=ALICE)[0] == 200
        time.sleep(max(0.0, error["retry_after_s"] + 0.002 - (time.monotonic() - asked_s)))
        assert ask(running, key=BOB)[0] == 200
        assert running.state()["outcomes"]["over_budget"] == 1
        page = running.get("/metrics")[2].decode()
        bob = 'tenant="bob",priority_class="batch"'
        assert f'gateway_lane_requests_total{{{bob},outcome="over_budget"}} 1\n' in page
        assert f'gateway_lane_tokens_total{{{bob},kind="completion"}} 6002\n' in page
        assert 'gateway_requests_total{route="chat",outcome="over_budget",code="429"} 1\n' in page
        until(lambda: '"outcome":"over_budget","code":429,"lane":"bob/batch"' in running.log())


@pytest.mark.fault(111)
def test_a_client_that_leaves_gets_its_tokens_back(engine: ScriptedEngine, tmp_path: Path) -> None:
    """Of a stream it left it pays the prompt and two pieces that came, not the 10,000 it might have had."""
    lanes = LANES.replace('name = "bob"\n', 'name = "bob"\ntokens_per_min = 600\n')
    asked = {"stream": True, "max_tokens": 10_000, "script": STREAM_HELD}
    with gateway_with(engine, tmp_path, lanes) as running, contextlib.closing(Raw(running.port)) as client:
        client.send(post(asked, f"authorization: Bearer {BOB}"))
        client.read_until(b'"b"')
        assert ask(running, key=BOB)[1]["x-gateway-outcome"] == "over_budget"
        client.reset()
        until(lambda: running.state()["active"] == 0)
        assert ask(running, key=BOB)[0] == 200


@pytest.mark.fault(55)
@pytest.mark.parametrize(
    ("settings", "asked", "seen"),
    [
        ({}, {"priority": -5}, 0),
        ({}, {}, None),
        ({"upstream_priority": True}, {"priority": -5}, 1),
        ({"upstream_priority": True}, {}, 1),
    ],
)
def test_the_engine_hears_no_priority_of_the_clients(
    engine: ScriptedEngine, tmp_path: Path, settings: dict[str, Any], asked: dict[str, Any], seen: int | None
) -> None:
    """It is taken away, or, with UPSTREAM_PRIORITY, becomes the place of the request's class."""
    with gateway_with(engine, tmp_path, **settings) as running:
        assert ask(running, {"user": "}", **asked}, key=BOB)[0] == 200
        assert engine.seen[0].fields == {
            "messages": [],
            "user": "}",
            **({} if seen is None else {"priority": seen}),
        }


def test_without_lanes_nothing_of_them_is_seen(engine: ScriptedEngine) -> None:
    """No version, no lane, no series; the client's own `priority` goes on as it always did."""
    with gateway(engine.url) as running:
        status, headers, _ = ask(running, {"priority": 3}, key=ALICE, x_headroom_tenant="bob")
        assert status == 200
        assert lane_of(headers) is None
        assert "x-gateway-lanes-version" not in headers
        assert engine.seen[0].fields == {"messages": [], "priority": 3}
        assert engine.seen[0].headers["authorization"] == f"Bearer {ALICE}"
        assert "gateway_lane_requests_total" not in running.get("/metrics")[2].decode()
        assert running.state()["lanes"] == {}


def test_a_lane_is_shown_while_it_works(engine: ScriptedEngine, tmp_path: Path) -> None:
    """/admin/state and the gauges know its slots and waiters; its sums come with the first end."""
    with (
        gateway_with(engine, tmp_path, max_active=1) as running,
        contextlib.closing(Raw(running.port)) as runs,
        contextlib.closing(Raw(running.port)) as waits,
    ):
        runs.send(post({"stream": True, "script": STREAM_HELD}, f"authorization: Bearer {BOB}"))
        runs.read_until(b'"b"')
        waits.send(post({}, f"authorization: Bearer {ALICE}"))
        until(lambda: running.state()["queued"] == 1)
        assert running.state()["lanes"] == {
            "alice/interactive": {"active": 0, "queued": 1},
            "bob/batch": {"active": 1, "queued": 0},
        }
        page = running.get("/metrics")[2].decode()
        assert 'gateway_lane_active{tenant="bob",priority_class="batch"} 1\n' in page
        assert 'gateway_lane_queue_depth{tenant="alice",priority_class="interactive"} 1\n' in page
        assert "gateway_lane_requests_total{" not in page
        runs.reset()
        assert waits.answer()[0] == 200
        page = until(lambda: _with(running, 'tenant="alice",priority_class="interactive",outcome="ok"} 1\n'))
        assert (
            'gateway_lane_queue_wait_seconds_count{tenant="alice",priority_class="interactive"} 1\n' in page
        )
        assert (
            'gateway_lane_requests_total{tenant="bob",priority_class="batch",outcome="client_abort"} 1\n'
            in page
        )


def _with(running: GatewayProcess, line: str) -> str:
    page = running.get("/metrics")[2].decode()
    return page if line in page else ""


def test_the_urgent_class_goes_first_and_a_full_queue_makes_room_for_it(
    engine: ScriptedEngine, tmp_path: Path
) -> None:
    """Of those that wait the more urgent one runs next; the newest of the longest lane gives its place up
    with a 429 though it waited.
    """
    held = {"stream": True, "script": [["send", SSE_HEAD], ["send", chunk(event("a"))], ["gate", "go"],
            ["send", chunk(event("b") + usage_event() + DONE) + END]]}  # fmt: skip
    with (
        gateway_with(engine, tmp_path, max_active=1, queue_max=2) as running,
        contextlib.ExitStack() as stack,
    ):
        runs, first, second, urgent = (
            stack.enter_context(contextlib.closing(Raw(running.port))) for _ in range(4)
        )
        runs.send(post(held, f"authorization: Bearer {BOB}"))
        runs.read_until(b'"a"')
        for number, client in enumerate((first, second), 1):
            client.send(post({"user": f"bob {number}"}, f"authorization: Bearer {BOB}"))
            until(lambda n=number: running.state()["queued"] == n)  # type: ignore[misc]  # bound now, not later
        urgent.send(post({"user": "alice"}, f"authorization: Bearer {ALICE}"))
        status, headers, body = second.answer()
        assert (status, headers["x-gateway-outcome"]) == (429, "rejected_full")
        assert "no place left for bob/batch" in json.loads(body)["error"]["message"]
        assert running.state()["queued"] == 2
        engine.open_gate("go")
        assert (urgent.answer()[0], first.answer()[0]) == (200, 200)
        assert [seen.fields.get("user") for seen in engine.seen] == [None, "alice", "bob 1"]


@pytest.mark.fault(75)
@pytest.mark.parametrize(
    ("lanes", "says"),
    [
        ('[[tenant]]\nname = "a"\nkey_sha256 = "sk-secret"', "allowed: 64 hexadecimal digits"),
        ('[[tenant]]\nname = "a"\nweight = 0', "lane a/default: weight=0.0 is not allowed; allowed: above 0"),
        ('[[tenant]]\nname = "a"\nclass = "b"', "lane a/b: there is no such class; allowed: default"),
        (None, "no such file or directory"),
    ],
)
def test_a_file_that_cannot_be_right(tmp_path: Path, lanes: str | None, says: str) -> None:
    """Status 2 and one sentence that names file, place and what is allowed, and no key."""
    path = tmp_path / "lanes.toml"
    if lanes is not None:
        path.write_text(lanes)
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "--lanes-file", str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"gateway: LANES_FILE={path}: ")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert "sk-secret" not in done.stderr


def test_first_tokens_are_told_by_class(engine: ScriptedEngine, tmp_path: Path) -> None:
    """Of a stream the first token, of a whole answer its wait; new lanes of the same class go on counting."""
    stream = [["send", SSE_HEAD], ["wait", 0.3], ["send", chunk(event("a"))], ["send", chunk(DONE) + END]]
    slow = [["wait", 0.3], *SERVED]

    def told(running: GatewayProcess) -> dict[str, float]:
        page = running.get("/metrics")[2].decode()
        found = re.findall(r'gateway_class_ttft_seconds_(\w+){priority_class="interactive"} (\S+)', page)
        return {name: float(value) for name, value in found}

    with gateway_with(engine, tmp_path) as running:
        assert told(running) == {}
        ask(running, {"stream": True, "script": stream}, key=ALICE)
        first = told(running)
        assert first["count"] == 1
        assert first["sum"] > 0.25
        status, _, lanes = running.get("/admin/lanes")
        assert running.ask("PUT", "/admin/lanes", json.loads(lanes))[0] == status == 200
        ask(running, {"script": slow}, key=ALICE)
        both = told(running)
        assert both["count"] == 2
        assert both["sum"] < first["sum"] + 0.25
