"""Live comparisons in virtual time: two sides of one drawn engine, of which B may be slower."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from experiments.decide.live_verdict import LiveVerdict, PairedBlock, judge
from experiments.design.cells import Cell
from experiments.design.pair_order import Side, order_of
from experiments.run_folder.block_metric import BlockMetric
from experiments.run_folder.live_run import LiveOutcome, LiveRun, LiveWay
from experiments.stats import sequential
from experiments.twin.predicted import measures
from experiments.twin.simulate import Core, simulate
from loadtests.latency import tpot_column_s
from loadtests.recording.quantiles import MINIMUM_N
from tests.experiments.racing.virtual_race import judgeable
from tests.experiments.tuning import virtual_tuning
from tests.experiments.tuning.virtual_tuning import Scenario
from tests.experiments.twin.nonlinear_engine import engine

MEASURE_S = 60.0
DRIFT_SD = 0.03
"""Of the machine's speed from the first block to the last: it goes one way, as heat does."""
TRUTH_TRACES = 10
LESS = 0.05


class Plant(StrEnum):
    """What B has that A has not."""

    NOTHING = "nothing"
    SPEED = "speed"
    """its engine does 5 % less in the same time"""
    GOODPUT = "goodput"
    """its engine is so much slower that its true goodput is 5 % less: little, where that lies on a cliff"""


@dataclass(frozen=True, slots=True)
class VirtualPair:
    """What is compared: one setting of the scenario at one load above capacity. `slower`: how many times B's
    engine is; `true_change`: of B's goodput for it, part of A's."""

    scenario: Scenario
    cell: Cell
    slower: float
    true_change: float


def draw(seed: int, plant: Plant) -> VirtualPair:
    """The engine of this seed and its best setting. True goodputs are on traces that no comparison sees."""
    scenario = virtual_tuning.draw(seed, MEASURE_S, Core.COMPILED)
    load = scenario.loads[1]
    setting = max(scenario.settings, key=lambda s: _goodput(scenario, Cell(s, load, 900), 1.0, 0))
    cell = Cell(setting, load, 0)
    if plant is Plant.NOTHING:
        return VirtualPair(scenario, cell, 1.0, 0.0)
    usual = _true_goodput(scenario, cell, 1.0)

    def change(slower: float) -> float:
        return _true_goodput(scenario, cell, slower) / usual - 1

    low, high = 1.0, 1.0 + 2.5 * LESS
    if plant is Plant.SPEED:
        low = high = 1 / (1 - LESS)
    while high - low > 5e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if change(middle) < -LESS else (middle, high)
    return VirtualPair(scenario, cell, (low + high) / 2, change((low + high) / 2))


def play(pair: VirtualPair, seed: int, most: int) -> LiveVerdict:
    """The comparison as the command goes about it, up to `most` blocks: looked at by the schedule, ended by
    the first verdict."""
    run = LiveRun("", (), "a", "b", LiveWay.AT_ONCE, BlockMetric.GOODPUT, 0.03, seed, most)
    rng = np.random.default_rng([seed, 51])
    drift = float(rng.normal(0.0, DRIFT_SD))
    blocks: list[PairedBlock] = []
    verdict = judge(run, blocks, ())
    for number in range(most):
        blocks.append(_block(pair, seed, number, drift / (2 * most), rng))
        if len(blocks) not in sequential.LOOKS:
            continue
        run = replace(run, looks=(*run.looks, len(blocks)))
        verdict = judge(run, blocks, run.looks)
        if verdict.outcome is not LiveOutcome.CANT_TELL:
            break
    return verdict


def _block(
    pair: VirtualPair, seed: int, number: int, drift_each: float, rng: np.random.Generator
) -> PairedBlock:
    order = order_of(seed, number)
    found, offered = {}, 0
    for place, side in enumerate(order):
        own = float(rng.lognormal(0.0, pair.scenario.drift_sd))
        speed = own * (1 + drift_each * (2 * number + place))
        speed *= pair.slower if side is Side.B else 1.0
        found[side], offered = _values(
            pair, replace(pair.cell, block=number), speed, int(rng.integers(1 << 30))
        )
    return PairedBlock(number, order[0], found[Side.A], found[Side.B], offered)


def _values(
    pair: VirtualPair, cell: Cell, speed: float, run_seed: int
) -> tuple[dict[BlockMetric, float | None], int]:
    scenario = pair.scenario
    plan = scenario.plan(cell)
    true = engine(scenario.physics, scenario.bounds, speed=speed, seed=run_seed)
    done = simulate(plan.arrivals, true, cell.setting.limits, core=scenario.core)
    seen = judgeable(plan, done)
    trace = seen.trace(scenario.slo)
    begin_s, end_s = plan.phase_s("measure")
    inside = (done.due_s >= begin_s) & (done.due_s < end_s) & ~np.isnan(done.last_s)
    tokens = np.array([float(a.output_tokens) for a in plan.arrivals])
    columns = {
        BlockMetric.TTFT_P95: done.first_s - done.due_s,
        BlockMetric.TPOT_P95: tpot_column_s(done.first_s, done.last_s, tokens),
        BlockMetric.E2E_P95: done.last_s - done.due_s,
    }
    enough = inside.sum() >= MINIMUM_N[0.95]
    found: dict[BlockMetric, float | None] = {
        BlockMetric.GOODPUT: trace.goodput_per_s,
        BlockMetric.ATTAINMENT: float(trace.good.mean()),
    }
    found |= {m: float(np.nanquantile(v[inside], 0.95)) if enough else None for m, v in columns.items()}
    return found, len(trace.good)


def _goodput(scenario: Scenario, cell: Cell, speed: float, run_seed: int) -> float:
    plan, done = scenario.run(cell, speed=speed, run_seed=run_seed)
    return measures(plan, done, scenario.slo)["goodput_per_s"]


def _true_goodput(scenario: Scenario, cell: Cell, speed: float) -> float:
    cells = [replace(cell, block=900 + k) for k in range(TRUTH_TRACES)]
    return float(np.mean([_goodput(scenario, one, speed, k) for k, one in enumerate(cells)]))
