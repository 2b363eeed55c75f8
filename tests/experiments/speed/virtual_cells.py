"""Runs of many cells on an engine that the twin does not share, disturbed by a plan: what their clients saw,
and the truth about each cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.design.cells import Cell
from experiments.spec.loads import Load
from experiments.speed.cell_steps import CellSteps
from experiments.speed.judge import CellSpeed, judge
from experiments.twin.simulate import Core, simulate
from tests.experiments.speed.virtual_steps import seen_steps
from tests.experiments.tuning.virtual_tuning import BETWEEN_S, Scenario, draw
from tests.experiments.twin.disturbed_engine import QUIET, Slowness, disturbed_engine, planted

BUSY = 1.3
"""Times slower from which on a second counts as hit."""


@dataclass(frozen=True, slots=True)
class VirtualCell:
    """A cell, and which share of its window was `BUSY`, or slower at all than the engine's own drift."""

    steps: CellSteps
    hit: float
    touched: float


def virtual_run(
    seed: int, *, share: float, drift: float, cells: int, core: Core = Core.COMPILED, measure_s: float = 30.0
) -> list[VirtualCell]:
    """The cells of one run, in random order: drawn settings at 0.5 to 1.3 of capacity and under bursts.

    Each cell has noise and a speed of its own, as two measurements of a quiet machine differ.
    """
    scenario = draw(seed, measure_s, core)
    rng = np.random.default_rng([seed, 12])
    length_s = cells * (measure_s + 20.0)
    extra = planted(seed, length_s, share) if share else QUIET
    drifting = QUIET.drifting(length_s, drift) if drift else QUIET
    found, now_s = [], 0.0
    for k, cell in enumerate(_cells(scenario, rng, cells)):
        own = float(rng.lognormal(0.0, scenario.drift_sd))
        one, took_s = _played(scenario, cell, k, now_s, own, extra, drifting)
        found.append(one)
        now_s += took_s + BETWEEN_S
    return found


def judged(run: Sequence[VirtualCell]) -> Iterator[tuple[VirtualCell, CellSpeed]]:
    """Each cell beside its verdict."""
    return zip(run, judge([one.steps for one in run]).cells, strict=True)


def _cells(scenario: Scenario, rng: np.random.Generator, count: int) -> list[Cell]:
    """Any setting at any load, the same one perhaps on several traces."""
    capacity_per_s = next(
        load.rate_per_s / load.relative for load in scenario.loads if load.relative and load.rate_per_s
    )
    loads = [
        Load(name, None, relative).at_capacity(capacity_per_s)
        for name, relative in (
            *(("sustained", relative) for relative in (0.5, 0.7, 0.9, 1.1, 1.3)),
            ("burst", 0.9), ("burst", 1.2),
        )
    ]  # fmt: skip
    return [
        Cell(scenario.settings[rng.integers(len(scenario.settings))], loads[rng.integers(len(loads))], block)
        for block in range(count)
    ]


def _played(
    scenario: Scenario, cell: Cell, number: int, now_s: float, own: float, extra: Slowness, drift: Slowness
) -> tuple[VirtualCell, float]:
    plan = scenario.plan(cell)
    changes_s = sorted({at_s for at_s, _ in (*extra.since(now_s), *drift.since(now_s))})
    at_s = now_s + np.array(changes_s)
    factors = own * extra.at(at_s) * drift.at(at_s)
    engine = disturbed_engine(
        scenario.physics, scenario.bounds, seed=number, one_by_one=True,
        speed_at=list(zip(changes_s, factors.tolist(), strict=True)),
    )  # fmt: skip
    done = simulate(plan.arrivals, engine, cell.setting.limits, core=scenario.core, logged=True)
    begin_s, end_s = plan.phase_s("measure")
    steps = seen_steps(done, scenario.physics.egress_s).between(begin_s, end_s)
    slower = extra.at(now_s + np.arange(begin_s, end_s, 0.05))
    seen = CellSteps.of(str(number), "", now_s + begin_s, end_s - begin_s, steps)
    return VirtualCell(seen, float(np.mean(slower >= BUSY)), float(np.mean(slower > 1))), done.end_s
