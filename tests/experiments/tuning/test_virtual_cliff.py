"""How well a cell's replay foretells the same setting on an engine really slower, over engines that the
project's model does not share; beside it what scaled latencies say."""

from collections.abc import Iterator

import numpy as np
import pytest

from experiments.design.cells import Cell
from experiments.twin.predicted import measures
from experiments.twin.replay import Replay, Served
from experiments.twin.simulate import Core, Simulated, simulate
from loadtests.planning.plan import Plan
from tests.experiments.tuning import virtual_tuning
from tests.experiments.tuning.virtual_tuning import Scenario
from tests.experiments.twin.nonlinear_engine import engine

SEEDS = range(2000, 2040)
SETTINGS = 4
"""Drawn from each matrix."""
TRUE_RUNS = 3


def _play(scenario: Scenario, cell: Cell, plan: Plan, slowdown: float, seed: int) -> Simulated:
    true = engine(scenario.physics, scenario.bounds, speed=slowdown, seed=seed)
    return simulate(plan.arrivals, true, cell.setting.limits, core=Core.COMPILED)


def _served(plan: Plan, done: Simulated) -> Served:
    tokens = np.array([arrival.output_tokens for arrival in plan.arrivals], dtype=float)
    spans = (
        done.granted_s - done.due_s,
        done.first_s - done.granted_s,
        done.last_s - done.granted_s,
        tokens,
    )
    wait_s, first_s, hold_s, tokens = (np.where(done.codes == 1, span, np.nan) for span in spans)
    begin_s, end_s = plan.phase_s("measure")
    measured = (done.due_s >= begin_s) & (done.due_s < end_s)
    return Served(done.due_s, wait_s, first_s, hold_s, tokens, measured)


def errors(seed: int, slowdown: float) -> Iterator[tuple[float, float]]:
    """Of each cell with some good requests: what the replay, and scaled latencies, are off by, as parts of
    the goodput that was measured."""
    scenario = virtual_tuning.draw(seed, 60.0, Core.COMPILED)
    rng = np.random.default_rng([seed, 41])
    for k in rng.choice(len(scenario.settings), SETTINGS, replace=False):
        for load in scenario.loads:
            cell = Cell(scenario.settings[int(k)], load, 1)
            plan = scenario.plan(cell)
            done = _play(scenario, cell, plan, 1.0, 1)
            was = measures(plan, done, scenario.slo)["attainment"]
            if was < 0.05:
                continue
            true = np.mean([
                measures(plan, _play(scenario, cell, plan, slowdown, 2 + run), scenario.slo)["attainment"]
                for run in range(TRUE_RUNS)
            ])  # fmt: skip
            replay = Replay(_served(plan, done), cell.setting.limits)
            as_it_was, slower = (replay.at(times, scenario.slo).attainment for times in (1.0, slowdown))
            found = min(1.0, was * slower / max(as_it_was, 1e-9))
            scaled = measures(plan, done, scenario.slo.scaled(1 / slowdown))["attainment"]
            yield float(found - true) / was, float(scaled - true) / was


@pytest.mark.prove
@pytest.mark.parametrize("slowdown", [1.05, 1.10])
def test_the_replay_foretells_a_slower_engine(slowdown: float) -> None:
    """Half of the error of scaled latencies at most, in the median and in the worst tenth."""
    seen = np.array([pair for seed in SEEDS for pair in errors(seed, slowdown)])
    (replayed, scaled) = np.abs(seen).T
    print(
        f"{slowdown:g} times slower, {len(seen)} cells: error of the replay {np.median(replayed):.1%}, "
        f"p90 {np.quantile(replayed, 0.9):.1%}; of scaled latencies {np.median(scaled):.1%}, "
        f"{np.quantile(scaled, 0.9):.1%}"
    )
    assert np.median(replayed) <= 0.6 * np.median(scaled)
    assert np.quantile(replayed, 0.9) <= 0.75 * np.quantile(scaled, 0.9)
