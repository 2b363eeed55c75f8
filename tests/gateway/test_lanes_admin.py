"""`/admin/lanes`: shown without keys, replaced as a whole or not at all, numbered, also under load."""

import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.open_loop import offer
from tests.gateway.process import GatewayProcess, gateway, until
from tests.gateway.scripted_engine import ScriptedEngine
from tests.gateway.stand import post
from tests.gateway.with_lanes import ALICE, BOB, FRONT, LANES, ask, gateway_with, lane_of


@pytest.fixture
def running(engine: ScriptedEngine, tmp_path: Path) -> Iterator[GatewayProcess]:
    with gateway_with(engine, tmp_path) as one:
        yield one


def shown(running: GatewayProcess) -> dict[str, Any]:
    return dict(json.loads(running.get("/admin/lanes")[2]))


def put(running: GatewayProcess, body: object) -> tuple[int, dict[str, Any]]:
    status, _, answer = running.ask("PUT", "/admin/lanes", body)
    return status, dict(json.loads(answer))


def test_what_is_shown_can_be_put_back(running: GatewayProcess) -> None:
    """GET names lanes, bounds and how many keys each has; PUT of the same keeps them, as a new version."""
    first = shown(running)
    assert first["version"] == 1
    assert first["classes"] == [
        {"name": "interactive", "slots_reserved": 1},
        {"name": "batch", "slots_reserved": 0},
    ]
    rows = {(row["tenant"], row["priority_class"]): (row["keys"], row["trusted"]) for row in first["lanes"]}
    assert rows == {
        ("alice", "interactive"): (1, False),
        ("alice", "batch"): (0, False),
        ("bob", "batch"): (1, False),
        ("front", "interactive"): (1, True),
        ("other", "batch"): (0, False),
    }
    status, second = put(running, first)
    assert (status, second) == (200, {**first, "version": 2})
    for key, lane in ((ALICE, "alice/interactive"), (BOB, "bob/batch")):
        headers = ask(running, key=key)[1]
        assert (lane_of(headers), headers["x-gateway-lanes-version"]) == (lane, "2")
    assert lane_of(ask(running, key=FRONT, x_headroom_tenant="alice")[1]) == "alice/interactive"
    assert running.metric("gateway_lanes_version") == 2
    assert running.metric("gateway_lane_changes_total") == 1


def test_whoever_was_overtaken_is_told(running: GatewayProcess) -> None:
    """A body with a version replaces that one only: 409, and nothing changes."""
    before = shown(running)
    assert put(running, {**before, "classes": before["classes"][::-1]})[0] == 200
    status, answer = put(running, before)
    assert status == 409
    assert "Version 2 of the lanes is in force, not 1" in answer["error"]["message"]
    assert shown(running)["version"] == 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "no JSON object"),
        ({"lane": []}, "lane: no such key"),
        ({"lanes": [{"tenant": "a"}, {"tenant": "a"}]}, "lane a/default is there 2 times"),
        ({"lanes": [{"tenant": "a b"}]}, "lanes[0].tenant='a b': allowed: 1 to 64 letters"),
        ({"lanes": [{"tenant": "a", "weight": "2"}]}, "lanes[0].weight='2': input should be a valid number"),
        ({"lanes": [{"tenant": "a", "slots_max": 0}]}, "slots_max=0 is not allowed; allowed: 1 or more"),
        ({"classes": [{"name": str(n)} for n in range(17)]}, "0 lanes in 17 classes are too many"),
        ({"lanes": [{"tenant": t, "key_sha256": "a" * 64} for t in "ab"]}, "have the same key"),
    ],
)
def test_what_is_not_allowed_changes_nothing(running: GatewayProcess, body: object, says: str) -> None:
    """One sentence with key, value and what is allowed; the lanes in force stay."""
    before = shown(running)
    status, answer = put(running, body)
    assert (status, answer["error"]["code"]) == (400, "invalid")
    assert says in answer["error"]["message"]
    assert shown(running) == before


def test_lanes_come_and_go(engine: ScriptedEngine) -> None:
    """A gateway without lanes gets some, as TOML, and loses them again; its version only grows."""
    with gateway(engine.url) as running:
        nothing = shown(running)
        assert nothing == {"version": 1, "refuse_unknown": False, "classes": [], "lanes": []}
        assert running.get("/admin/lanes")[0] == 200
        request = urllib.request.Request(
            f"{running.url}/admin/lanes", LANES.encode(), {"content-type": "application/toml"}, method="PUT"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.loads(answer.read())["version"] == 2
        assert lane_of(ask(running, key=BOB)[1]) == "bob/batch"
        assert put(running, {"classes": [], "lanes": []}) == (200, {**nothing, "version": 3})
        headers = ask(running, key=BOB)[1]
        assert (lane_of(headers), "x-gateway-lanes-version" in headers) == (None, False)
        assert running.metric("gateway_lanes_version") == 3


def test_a_lane_that_is_left_out_has_no_clients(running: GatewayProcess) -> None:
    """Its key is a stranger's, its series go, and those of the lanes that stay go on."""
    assert ask(running, key=BOB)[0] == ask(running, key=ALICE)[0] == 200
    lanes = [row for row in shown(running)["lanes"] if row["tenant"] != "bob"]
    assert put(running, {"classes": shown(running)["classes"], "lanes": lanes})[0] == 200
    assert lane_of(ask(running, key=BOB)[1]) == "other/batch"
    assert ask(running, key=ALICE)[0] == 200
    page = running.get("/metrics")[2].decode()
    assert 'tenant="bob"' not in page
    assert 'gateway_lane_requests_total{tenant="alice",priority_class="interactive",outcome="ok"} 2\n' in page


def test_only_the_operator_may(engine: ScriptedEngine, tmp_path: Path) -> None:
    """Both routes want the admin token, as the limits do."""
    with gateway_with(engine, tmp_path, gateway_admin_token="operator") as running:
        assert running.get("/admin/lanes")[0] == 401
        assert put(running, {})[0] == 401
        token = {"authorization": "Bearer operator"}
        assert running.ask("GET", "/admin/lanes", None, token)[0] == 200


@pytest.mark.fault(112)
def test_changes_under_load_lose_nothing(running: GatewayProcess, engine: ScriptedEngine) -> None:
    """Lanes come, go and turn round two hundred times while requests run and wait: each is answered, once."""
    engine.service_s = 0.005
    every = shown(running)
    some = {"classes": every["classes"][::-1], "lanes": every["lanes"][:2]}
    over = threading.Event()

    def change() -> None:
        bodies: tuple[dict[str, Any], ...] = (
            {k: v for k, v in every.items() if k != "version"},
            some,
            {"classes": [], "lanes": []},
        )
        turn = 0
        while not over.is_set():
            assert put(running, bodies[turn % 3])[0] == 200
            turn += 1

    running.limits(max_active=4, queue_max=1000)
    changer = threading.Thread(target=change)
    changer.start()
    keys = (ALICE, BOB, FRONT, "guess")
    requests = [post({}, f"authorization: Bearer {keys[i % 4]}", "connection: close") for i in range(600)]
    try:
        ended = offer(running.port, [i / 600 for i in range(600)], requests)
    finally:
        over.set()
        changer.join(10)
    assert Counter(one.status for one in ended) == {200: 600}
    state = until(lambda: _idle(running))
    assert state["arrived"] == sum(state["outcomes"].values()) == state["outcomes"]["ok"]
    assert shown(running)["version"] > 3
    assert "internal error" not in running.log()


def _idle(running: GatewayProcess) -> dict[str, Any] | None:
    state = running.state()
    return state if state["active"] == state["queued"] == state["in_flight"] == 0 else None
