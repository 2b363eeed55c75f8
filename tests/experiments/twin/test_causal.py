"""Requests that follow answers, in the twin: due when these are in, and never where one is not."""

from __future__ import annotations

import itertools
from math import inf

import numpy as np
import pytest

from experiments.twin.capacity import OPEN, Planned
from experiments.twin.profile import EXACT, TINY_CPU
from experiments.twin.simulate import Core, Player, simulate
from experiments.twin.simulated import NOT_SENT, OK
from gateway.limits import Limits, QueueMode
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix

CORES = [Core.REFERENCE, Core.COMPILED]


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(
    "mix", [Mix(turns=2, tool_calls=2, output_tokens=20, turn_tokens=30), Mix(tool_calls=1, branches=3)]
)
def test_what_follows_is_due_its_pause_after_the_last_answer(core: Core, mix: Mix) -> None:
    """To the last bit, for every request of a plan whose engine is busy enough to make answers late."""
    plan = plans.make("sustained", 8.0, 2.0, 30.0, 4, mix)
    done = simulate(
        plan.arrivals, TINY_CPU, Limits(max_active=16, queue_max=1000, queue_timeout_s=60), core=core
    )
    assert done.compiled == (core is Core.COMPILED)
    assert (done.codes == OK).mean() > 0.9
    followed = 0
    for arrival in plan.arrivals:
        if not all(done.codes[j] == OK for j in arrival.after):
            assert done.codes[arrival.i] == NOT_SENT
            continue
        answered_s = max((done.last_s[j] for j in arrival.after), default=-inf)
        assert done.due_s[arrival.i] == max(arrival.due_s, answered_s + arrival.think_s)
        followed += bool(arrival.after) and answered_s + arrival.think_s > arrival.due_s
    assert followed > 100


@pytest.mark.parametrize("core", CORES)
def test_a_chain_takes_as_long_as_its_parts(core: Core) -> None:
    """Alone on the engine: the sum of the answers, one after the other, and of the pauses."""
    alone = simulate([Planned(0.0, 50, 10)], EXACT, OPEN, core=core)
    chain = [Planned(0.0, 50, 10, think_s=0.5 * bool(k), after=(k - 1,) if k else ()) for k in range(4)]
    done = simulate(chain, EXACT, OPEN, core=core)
    assert done.last_s[-1] == pytest.approx(4 * alone.last_s[0] + 1.5)


@pytest.mark.parametrize("core", CORES)
def test_nothing_follows_a_refusal(core: Core) -> None:
    """The second of two at once is refused, and the third, which waits for both, never comes."""
    work = [Planned(0.0, 50, 10), Planned(0.0, 50, 10), Planned(0.0, 50, 10, after=(0, 1))]
    refusing = Limits(max_active=1, queue_mode=QueueMode.REJECT)
    done = simulate(work, EXACT, refusing, core=core)
    assert done.outcome == ("ok", "rejected_mode", "not_sent")


def test_what_only_python_plays_is_said() -> None:
    """Requests that follow some of the same answers, but not all: the reference plays them, and tells."""
    work = [
        Planned(0.0, 5, 2),
        Planned(0.0, 5, 2),
        Planned(0.0, 5, 2, after=(0,)),
        Planned(0.0, 5, 2, after=(0, 1)),
    ]
    player = Player(Core.COMPILED)
    assert player.simulate(work, EXACT, OPEN).outcome == ("ok",) * 4
    assert "1 of them with sessions that only Python plays" in str(player)
    assert player.compiled == 0


def test_sessions_load_an_engine_less_than_their_requests_alone() -> None:
    """A busy engine sends its sessions' next requests later: nothing that follows is ever there too early."""
    plan = plans.make("sustained", 30.0, 0.0, 30.0, 1, Mix(turns=5, turn_gap_s=0.0, turn_tokens=10))
    loose = [Planned(a.due_s, a.prompt_tokens, a.output_tokens) for a in plan.arrivals]
    together, alone = simulate(plan.arrivals, TINY_CPU, OPEN), simulate(loose, TINY_CPU, OPEN)
    assert together.peak_active < alone.peak_active
    for before, after in itertools.pairwise(np.flatnonzero([a.session == 0 for a in plan.arrivals])):
        assert together.due_s[after] >= together.last_s[before]
