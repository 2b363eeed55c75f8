"""Lanes of a real gateway, put in force for a load and given back: no key is lost, nobody gets trusted."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from experiments.cli import sweep_args
from experiments.errors import EnvironmentProblem, UserError
from experiments.measure import preflight
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.gateway_lanes import GatewayLanes
from gateway.lane import NO_LANES, Lane, Lanes, PriorityClass
from gateway.limits import QueueOrder
from loadtests.reach.endpoint import Endpoint
from tests.gateway.process import GatewayProcess, gateway
from tests.gateway.scripted_engine import ScriptedEngine
from tests.gateway.with_lanes import BOB, FRONT, ask, gateway_with, lane_of

CLASSES = (PriorityClass("interactive"), PriorityClass("batch"))
TABLE = Lanes(CLASSES, (Lane("alice", "interactive", 3.0), Lane("bob", "batch"), Lane("other", "batch")))
KEPT = Lanes(CLASSES, (*TABLE.lanes[:2], Lane("front", "interactive"), TABLE.lanes[2]))
"""With every lane that has a key in `LANES`."""


@pytest.fixture(scope="module")
def engine() -> Iterator[ScriptedEngine]:
    with ScriptedEngine() as one:
        yield one


@contextmanager
def lanes_of(running: GatewayProcess) -> Iterator[GatewayLanes]:
    with closing(GatewayAdmin(Endpoint.parse(f"http://127.0.0.1:{running.port}"), None)) as admin:
        yield GatewayLanes(admin)


def test_where_there_were_none_everybody_may_say_who_they_are_as_long_as_it_lasts(
    engine: ScriptedEngine,
) -> None:
    """The load has no key of a lane there; afterwards there are none again."""
    with gateway(engine.url) as running, lanes_of(running) as lanes:
        assert lanes.why_not([TABLE, NO_LANES]) is None
        flags = ["--gateway-url", f"http://127.0.0.1:{running.port}", "--model", "m"]
        plain = sweep_args.parse(flags)
        assert preflight.sharing_as_the_gateway(plain) is plain
        with lanes.given_back():
            version = lanes.apply_for_a_load(TABLE)
            headers = ask(running, x_headroom_tenant="bob")[1]
            assert (lane_of(headers), headers["x-gateway-lanes-version"]) == ("bob/batch", str(version))
            assert lanes.apply_for_a_load(NO_LANES) > version
            assert not lanes.seen().lanes.shared
            lanes.apply_for_a_load(TABLE)
        assert not lanes.seen().lanes.shared
        assert lanes.apply(TABLE) == lanes.seen().version
        assert lane_of(ask(running, x_headroom_tenant="bob")[1]) == "other/batch", (
            "to stay, nobody is trusted"
        )


def test_keys_and_trust_of_others_stay_as_they_are(engine: ScriptedEngine, tmp_path: Path) -> None:
    """A table without a lane that has a key is refused before anything is set; lanes as found come back."""
    with gateway_with(engine, tmp_path) as running, lanes_of(running) as lanes:
        before = lanes.seen()
        said = lanes.why_not([KEPT, TABLE])
        assert said is not None
        assert "front/interactive" in said
        with pytest.raises(EnvironmentProblem, match="forget the keys of front/interactive"):
            lanes.apply(TABLE)
        with pytest.raises(EnvironmentProblem, match="alice/interactive, bob/batch, front/interactive"):
            lanes.apply_for_a_load(NO_LANES)
        assert lanes.seen() == before
        with lanes.given_back():
            lanes.apply_for_a_load(KEPT)
            assert lane_of(ask(running, key=FRONT, x_headroom_tenant="alice")[1]) == "alice/interactive"
            assert lane_of(ask(running, key=BOB, x_headroom_tenant="alice")[1]) == "bob/batch"
            assert lane_of(ask(running, x_headroom_tenant="alice")[1]) == "other/batch"
        after = lanes.seen()
        assert (after.lanes, after.keyed, after.trusted) == (before.lanes, before.keyed, before.trusted)
        rows = json.loads(running.get("/admin/lanes")[2])
        running.ask("PUT", "/admin/lanes", rows | {"lanes": [{**r, "trusted": False} for r in rows["lanes"]]})
        said = lanes.why_not([KEPT])
        assert said is not None, "all requests of the load would be in one lane"
        assert "trusted = true" in said


def test_a_sweep_of_somebody_elses_gateway_goes_by_its_lanes(engine: ScriptedEngine, tmp_path: Path) -> None:
    """The order that shares needs no flag where there are lanes; what cannot be set is said at once."""
    with gateway_with(engine, tmp_path) as running:
        flags = ["--gateway-url", f"http://127.0.0.1:{running.port}", "--model", "m"]
        orders = [
            preflight.sharing_as_the_gateway(sweep_args.parse([*flags, *more])).spec.gateway.queue_order
            for more in ((), ("--queue-order", "fifo"))
        ]
        assert orders == [(QueueOrder.FAIR,), (QueueOrder.FIFO,)]
        with pytest.raises(UserError, match="would forget the keys of"):
            preflight.check(sweep_args.parse([*flags, "--lanes", "none"]), print)
        assert json.loads(running.get("/admin/lanes")[2])["version"] == 1
