"""Races in virtual time: engines drawn by seed, whose step law nobody shares, a matrix of 90 cells, and the
truth."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from experiments.design.cells import Cell
from experiments.racing.course import Course
from experiments.racing.judged_stretch import JudgedStretch
from experiments.spec.setting import Setting
from experiments.speed.cell_steps import CellSteps
from experiments.speed.judge import judge
from experiments.stats.goodput import Trace
from experiments.twin.footprint import Footprint
from experiments.twin.simulate import Core, Simulated, simulate
from experiments.twin.simulated import OK
from gateway.limits import Limits
from loadtests.latency import tpot_column_s
from loadtests.planning.plan import Plan
from loadtests.slo import SLO
from tests.experiments.speed.virtual_steps import seen_steps
from tests.experiments.tuning import virtual_tuning
from tests.experiments.tuning.virtual_tuning import BETWEEN_S, Scenario
from tests.experiments.twin.disturbed_engine import QUIET, Slowness, disturbed_engine
from tests.experiments.twin.nonlinear_engine import engine

Floats = npt.NDArray[np.float64]
LEAST_STRETCH_S = 20.0
GRID_S = 60.0
CLOSE = 0.15
"""Scores this far below the best are looked at once."""


def _whatever(kept: float) -> Callable[[Limits], float]:
    """That part is kept, under whatever limits."""
    return lambda _limits: kept


def draw(seed: int) -> Scenario:
    """A scenario with 30 settings at three loads."""
    drawn = virtual_tuning.draw(seed, GRID_S, Core.COMPILED)
    slots = sorted({s.limits.max_active for s in drawn.settings})
    timeouts = sorted({s.limits.queue_timeout_s for s in drawn.settings})
    while len(slots) < 5:
        slots = sorted({*slots, max(slots) + 1})
    matrix = tuple(
        Setting(Limits(max_active=active, queue_max=queue, queue_timeout_s=timeout_s))
        for active, queue, timeout_s in itertools.product(slots, (8, 32, 100), timeouts)
    )
    return replace(drawn, settings=matrix)


@dataclass(frozen=True, slots=True)
class Judgeable:
    """A window's requests: due times from its start, latencies (nan where none), and whether they were
    served."""

    due_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    ok: npt.NDArray[np.bool_]
    duration_s: float

    def trace(self, slo: SLO) -> Trace:
        good = self.ok.copy()
        for values, bound in ((self.ttft_s, slo.ttft_s), (self.tpot_s, slo.tpot_s)):
            if bound is not None:
                good &= ~(values > bound)
        return Trace(self.due_s, good, self.duration_s)


def judgeable(plan: Plan, done: Simulated) -> Judgeable:
    begin_s, end_s = plan.phase_s("measure")
    inside = (done.due_s >= begin_s) & (done.due_s < end_s)
    tokens = np.array([a.output_tokens for a in plan.arrivals], dtype=float)
    tpot_s = tpot_column_s(done.first_s, done.last_s, tokens)
    return Judgeable(
        (done.due_s - begin_s)[inside],
        (done.first_s - done.due_s)[inside],
        tpot_s[inside],
        (done.codes == OK)[inside],
        end_s - begin_s,
    )


def elasticity(window: Judgeable, slo: SLO) -> float:
    """Per cent of goodput per cent of speed, from judging the same latencies 2 % longer and shorter."""
    slower, faster = (int(window.trace(slo.scaled(f)).good.sum()) for f in (1 / 1.02, 1.02))
    return (faster - slower) / max(1, faster + slower) / 0.02


@dataclass(frozen=True, slots=True)
class _Run:
    """What was seen of one cell."""

    window: Judgeable
    footprint: Footprint
    steps: CellSteps


@dataclass(slots=True)
class VirtualTrack:
    """Measures stretches on the true engine, each with a noise and a speed of its own, on a machine that
    others slow down by `extra`, and that drifts. What is known of the engine's speed is what a run folder
    would know: the index of the steps that its clients saw."""

    scenario: Scenario
    extra: Slowness = QUIET
    drift: Slowness = QUIET
    measure_s: float | None = None
    spent_s: float = 0.0
    runs: int = 0
    done: dict[Cell, _Run] = field(default_factory=dict)
    _seen: list[JudgedStretch] | None = None

    def measure(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            self.done[cell] = self._one(cell)
        self._seen = None

    def seen(self) -> Sequence[JudgedStretch]:
        if self._seen is None:
            self._seen = self._judged()
        return self._seen

    def _judged(self) -> list[JudgedStretch]:
        runs = list(self.done.items())
        speeds = judge([run.steps for _, run in runs]).cells
        known = [speed.index for speed in speeds if speed.index is not None and not speed.disturbed]
        usual = float(np.median(known)) if known else 1.0
        slo, found = self.scenario.slo, []
        for (cell, run), speed in zip(runs, speeds, strict=True):
            fair = slo.scaled(float(np.clip((speed.index or usual) / usual, 1 / 1.1, 1.1)))
            now = int(run.window.trace(fair).good.sum())
            kept = int(run.window.trace(fair.scaled(1 / 1.05)).good.sum()) / max(1, now)
            found.append(
                JudgedStretch(
                    cell, run.window.trace(fair), elasticity(run.window, fair), _whatever(kept),
                    run.footprint, usable=not speed.disturbed,
                )
            )  # fmt: skip
        return found

    def _one(self, cell: Cell) -> _Run:
        self.runs += 1
        scenario = replace(self.scenario, measure_s=self.measure_s or stretch_s(self.scenario))
        own = float(np.random.default_rng([scenario.seed, 9, self.runs]).lognormal(0.0, scenario.drift_sd))
        plan, now_s = scenario.plan(cell), self.spent_s
        changes_s = sorted({at_s for at_s, _ in (*self.extra.since(now_s), *self.drift.since(now_s))})
        at_s = now_s + np.array(changes_s)
        factors = own * self.extra.at(at_s) * self.drift.at(at_s)
        true = disturbed_engine(
            scenario.physics, scenario.bounds, seed=5000 + self.runs, one_by_one=True,
            speed_at=list(zip(changes_s, factors.tolist(), strict=True)),
        )  # fmt: skip
        done = simulate(plan.arrivals, true, cell.setting.limits, core=Core.COMPILED, logged=True)
        begin_s, end_s = plan.phase_s("measure")
        steps = seen_steps(done, scenario.physics.egress_s).between(begin_s, end_s)
        self.spent_s += done.end_s + BETWEEN_S
        return _Run(
            judgeable(plan, done),
            Footprint.of(cell.setting.limits, done),
            CellSteps.of(str(self.runs), "", now_s + begin_s, end_s - begin_s, steps),
        )


def stretch_s(scenario: Scenario) -> float:
    """As `design.windows` has it: five times what a request takes at capacity, which is about when six tenths
    of the batch are full."""
    capacity_per_s = max((load.rate_per_s or 0.0) / (load.relative or 1.0) for load in scenario.loads)
    return max(LEAST_STRETCH_S, 5 * 0.6 * scenario.bounds.max_num_seqs / capacity_per_s)


def course(scenario: Scenario, budget_s: float) -> Course:
    return Course(
        scenario.settings,
        scenario.loads,
        budget_s,
        lambda load: virtual_tuning.WARM_UP_S + stretch_s(scenario) + BETWEEN_S + 5.0,
        seed=scenario.seed,
    )


def truth(scenario: Scenario, traces: int = 4, measure_s: float = 150.0, speed: float = 1.0) -> Floats:
    """True mean goodput of every cell (settings, loads), at the engine's own speed or another.

    After the first trace only settings go on that may be the best, of all or at some load; the others keep
    what they had.
    """
    long = replace(scenario, measure_s=measure_s)
    everybody = range(len(scenario.settings))
    widest = sorted(everybody, key=lambda i: scenario.settings[i].smaller_first, reverse=True)
    first = _true_goodput(long, widest, 700, speed)
    share = first / np.maximum(first.max(axis=0), 1e-9)
    close = share.min(axis=1) >= share.min(axis=1).max() - CLOSE
    close[np.argsort(-first, axis=0)[:2].ravel()] = True
    again = [i for i in widest if close[i]]
    more = [_true_goodput(long, again, 700 + k, speed) for k in range(1, traces)]
    return np.where(close[:, None], np.mean([first, *more], axis=0), first)


def _true_goodput(scenario: Scenario, widest: Sequence[int], block: int, speed: float) -> Floats:
    """On one trace a load, of the settings at these places, the widest first: what binds nowhere is one
    run."""
    found = np.zeros((len(scenario.settings), len(scenario.loads)))
    for j, load in enumerate(scenario.loads):
        plan = scenario.plan(Cell(scenario.default, load, block))
        played: list[tuple[Footprint, float]] = []
        for i in widest:
            limits = scenario.settings[i].limits
            value = next((value for footprint, value in played if footprint.same_under(limits)), None)
            if value is None:
                true = engine(scenario.physics, scenario.bounds, speed=speed, seed=block)
                done = simulate(plan.arrivals, true, limits, core=Core.COMPILED)
                value = judgeable(plan, done).trace(scenario.slo).goodput_per_s
                played.append((Footprint.of(limits, done), value))
            found[i, j] = value
    return found


def grid_s(scenario: Scenario) -> float:
    """Engine time of the full grid on one trace."""
    return len(scenario.settings) * sum(scenario.cell_s(load) for load in scenario.loads)
