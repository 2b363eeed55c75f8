"""A cell replayed on a slower engine: exact where the engine is a set of independent servers, and nearer to
the truth than scaled latencies where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.twin import cliff
from experiments.twin.replay import Replay, Served, served
from experiments.twin.simulate import Core, Simulated, simulate
from gateway.limits import Limits, QueueMode
from loadtests.latency import tpot_column_s
from loadtests.outcome import Outcome
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.slo import SLO
from tests.experiments.stats.simulated_truth import Machine

ALONE = Machine(alpha_s=0.02, tokens=25.0)
"""Slots that do not know of each other."""
BATCHING = Machine(alpha_s=0.01, beta_s=0.002, tokens=25.0)
QUEUE = Limits(max_active=8, queue_max=12, queue_timeout_s=0.6)
REJECT = Limits(max_active=8, queue_mode=QueueMode.REJECT)
MIX = Mix(workload="fixed", prompt_tokens=1, output_tokens=25)
SLO_BOTH = SLO(ttft_s=0.35, tpot_s=0.04, attainment=0.9)


def _plan(rate_per_s: float, seed: int) -> Plan:
    return plans.make("sustained", rate_per_s, 5.0, 60.0, seed, mix=MIX)


def _run(plan: Plan, machine: Machine, limits: Limits, slowdown: float = 1.0) -> Simulated:
    return simulate(plan.arrivals, machine.profile(1 / slowdown), limits, core=Core.REFERENCE)


def _cell(plan: Plan, done: Simulated) -> Served:
    ok = done.codes == 1
    tokens = np.array([arrival.output_tokens for arrival in plan.arrivals], dtype=float)
    columns = (
        done.granted_s - done.due_s,
        done.first_s - done.granted_s,
        done.last_s - done.granted_s,
        tokens,
    )
    wait_s, first_s, hold_s, tokens = (np.where(ok, column, np.nan) for column in columns)
    return Served(done.due_s, wait_s, first_s, hold_s, tokens, done.due_s >= 5.0)


def _attainment(plan: Plan, done: Simulated, slo: SLO) -> float:
    tokens = np.array([arrival.output_tokens for arrival in plan.arrivals], dtype=float)
    good = done.codes == 1
    good &= ~(done.first_s - done.due_s > slo.bounds["ttft_s"])
    good &= ~(tpot_column_s(done.first_s, done.last_s, tokens) > slo.bounds["tpot_s"])
    return float(good[done.due_s >= 5.0].mean())


@pytest.mark.parametrize("limits", [QUEUE, REJECT], ids=["queue", "reject"])
def test_a_replay_at_the_same_speed_is_what_was_measured(limits: Limits) -> None:
    """Request by request, with waits, refusals and timeouts."""
    plan = _plan(17.0, 3)
    done = _run(plan, BATCHING, limits)
    replay = Replay(_cell(plan, done), limits)
    assert (done.codes != 1).sum() > 20
    assert replay.measured(SLO_BOTH) == _attainment(plan, done, SLO_BOTH)
    assert replay.at(1.0, SLO_BOTH).attainment == pytest.approx(_attainment(plan, done, SLO_BOTH), abs=0.01)


@pytest.mark.parametrize("limits", [QUEUE, REJECT], ids=["queue", "reject"])
@pytest.mark.parametrize("slowdown", [1.05, 1.2])
def test_independent_slots_are_replayed_nearly_exactly(limits: Limits, slowdown: float) -> None:
    """Queues that grow and refusals that follow are in it, which scaled latencies do not see."""
    plan = _plan(15.0, 4)
    replay = Replay(_cell(plan, _run(plan, ALONE, limits)), limits)
    truth = _attainment(plan, _run(plan, ALONE, limits, slowdown), SLO_BOTH)
    scaled = replay.measured(SLO_BOTH.scaled(1 / slowdown))
    found = replay.at(slowdown, SLO_BOTH).attainment
    assert abs(found - truth) < 0.03
    assert abs(found - truth) <= abs(scaled - truth)


def test_an_engine_that_batches_is_slower_still() -> None:
    """More at once make each step longer: over six traces the replay comes nearer than scaled latencies."""
    errors, naive = [], []
    for seed in range(6):
        plan = _plan(11.0, 30 + seed)
        replay = Replay(_cell(plan, _run(plan, BATCHING, QUEUE)), QUEUE)
        truth = _attainment(plan, _run(plan, BATCHING, QUEUE, 1.1), SLO_BOTH)
        errors.append(abs(replay.at(1.1, SLO_BOTH).attainment - truth))
        naive.append(abs(replay.measured(SLO_BOTH.scaled(1 / 1.1)) - truth))
    assert np.mean(errors) < 0.7 * np.mean(naive)


def test_records_become_the_columns() -> None:
    """The slot begins when the wait that the gateway told is over; who was refused has no service."""
    ok = RequestRecord(
        0, "a", "measure", "", -1, 1.0, Outcome.OK, sent_s=1.01, first_s=1.5, last_s=2.5, finished_s=2.5,
        output_tokens=11, queue_s=0.2,
    )  # fmt: skip
    refused = RequestRecord(
        1, "b", "warm_up", "", -1, 1.2, Outcome.REJECTED_FULL, sent_s=1.2, finished_s=1.21
    )
    unsent = RequestRecord(2, "c", "measure", "", -1, 1.3, Outcome.NOT_SENT)
    cell = served([ok, refused, unsent])
    assert cell.due_s.tolist() == [1.0, 1.2]
    assert cell.wait_s[0] == pytest.approx(0.21)
    assert cell.first_s[0] == pytest.approx(0.29)
    assert cell.hold_s[0] == pytest.approx(1.29)
    assert cell.ok.tolist() == [True, False]
    assert cell.measured.tolist() == [True, False]


def test_a_cell_in_which_nothing_was_served_is_judged_as_nothing() -> None:
    """No service time is known: nothing good, and no error."""
    refused = RequestRecord(0, "b", "measure", "", -1, 1.2, Outcome.REJECTED_FULL, finished_s=1.21)
    margin = cliff.speed_margin([Replay(served([refused] * 3), REJECT)], SLO_BOTH)
    assert (margin.attainment, margin.at_10_percent) == (0.0, 0.0)


def test_a_setting_on_a_cliff_says_so() -> None:
    """Time per token is 0.0199 s where 0.02 s are asked for: an engine 1 % slower has nothing good."""
    plan = _plan(6.0, 5)
    replay = Replay(_cell(plan, _run(plan, Machine(alpha_s=0.0199, tokens=25.0), QUEUE)), QUEUE)
    edge = cliff.speed_margin([replay], SLO(tpot_s=0.02, attainment=0.9))
    far = cliff.speed_margin([replay], SLO(tpot_s=0.04, attainment=0.9))
    assert edge.margin < 0.01
    assert str(edge) == "stands on a cliff: does not keep the objective on an engine 1% slower"
    assert str(far) == "keeps the objective on an engine 20% slower"
    assert cliff.smallest([far, edge]) is edge


def test_the_margin_lies_where_the_objective_is_lost() -> None:
    """Tokens of 0.02 s where 0.0217 s are asked for: 8.5 % slower is the edge."""
    plan = _plan(6.0, 6)
    replay = Replay(_cell(plan, _run(plan, ALONE, QUEUE)), QUEUE)
    found = cliff.speed_margin([replay], SLO(tpot_s=0.0217, attainment=0.9))
    assert found.objective
    assert found.at_5_percent == pytest.approx(found.attainment, abs=0.02)
    assert found.at_10_percent < 0.1
    assert 0.07 <= found.margin <= 0.10
