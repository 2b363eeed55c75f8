"""Scenarios for `tune` in virtual time: an engine drawn by seed, calibrated through the project's own fit,
a matrix of 60 cells, and the truth about each of them."""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from experiments.calibration import held_out
from experiments.calibration.fit import NAMES, FitRow, fit
from experiments.calibration.step_rows import row_of_alone
from experiments.design.cells import Cell
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.stats.quantile_interval import quantile_interval
from experiments.tuning.model import Discrepancy, Model
from experiments.tuning.task import MeasuredRun, Task
from experiments.twin.capacity import OPEN, Planned, predicted_capacity
from experiments.twin.predicted import measures
from experiments.twin.profile import Profile, slower
from experiments.twin.simulate import Core, Simulated, simulate
from gateway.limits import Limits
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.slo import SLO
from tests.experiments.twin.nonlinear_engine import Physics, engine, every_step

Floats = npt.NDArray[np.float64]
WARM_UP_S = 10.0
PROBE_S = 30.0
"""What the short look at the engine takes that every run begins with."""
BETWEEN_S = 2.0
"""From one cell to the next on a live stack."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """An engine and what people ask of it. `drift_sd` between runs; `truth_traces` for each cell's true
    goodput; `core` plays.
    """

    seed: int
    physics: Physics
    bounds: Profile
    drift_sd: float
    mix: Mix
    slo: SLO
    settings: tuple[Setting, ...]
    loads: tuple[Load, ...]
    default: Setting
    measure_s: float = 60.0
    core: Core = Core.AUTO

    def plan(self, cell: Cell) -> Plan:
        return plans.make(
            cell.load.scenario, cell.load.rate_per_s or 0.0, WARM_UP_S, self.measure_s,
            zlib.crc32(f"{self.seed} {cell.load} {cell.block}".encode()), mix=self.mix,
        )  # fmt: skip

    @property
    def task(self) -> Task:
        return Task(self.settings, self.default, self.loads, self.slo, self.plan, self.cell_s)

    def cell_s(self, load: Load) -> float:
        """Engine time of a cell before it is known: the phases, a mean answer to drain."""
        return WARM_UP_S + self.measure_s + BETWEEN_S + 5.0

    def run(self, cell: Cell, *, speed: float = 1.0, run_seed: int = 0) -> tuple[Plan, Simulated]:
        """The cell on the true engine."""
        plan = self.plan(cell)
        true = engine(self.physics, self.bounds, speed=speed, seed=run_seed)
        return plan, simulate(plan.arrivals, true, cell.setting.limits, core=self.core)


def draw(seed: int, measure_s: float = 60.0, core: Core = Core.AUTO) -> Scenario:
    """A scenario: engine, lengths, objective and matrix all depend on the seed."""
    rng = np.random.default_rng([seed, 77])
    weights_s = float(np.exp(rng.uniform(math.log(0.004), math.log(0.02))))
    physics = Physics(
        weights_s=weights_s,
        per_token_s=weights_s / float(rng.uniform(25, 150)),
        per_kv_token_s=weights_s / float(rng.uniform(60_000, 400_000)),
        per_square_s=weights_s / float(rng.uniform(1e6, 6e6)),
        sharpness=float(rng.uniform(3, 10)),
        noise_sd=float(rng.uniform(0.02, 0.04)),
        ingest_s=float(rng.uniform(0.001, 0.006)),
        egress_s=float(rng.uniform(0.0, 0.002)),
    )
    bounds = Profile(
        name="bounds", source="drawn", base_s=weights_s, max_num_seqs=int(rng.choice([48, 64, 96])),
        max_num_batched_tokens=2048, num_gpu_blocks=int(rng.choice([4000, 8000])), block_size=16,
        max_model_len=8192,
    )  # fmt: skip
    mix = Mix(
        workload=str(rng.choice(["fixed", "lognormal"])), prompt_tokens=int(rng.integers(120, 500)),
        output_tokens=int(rng.integers(80, 300)), length_sigma=0.6, max_prompt_tokens=3000,
        max_output_tokens=900,
    )  # fmt: skip
    true = engine(physics, bounds)
    capacity_per_s = closed_loop_capacity(true, mix)
    tpot_s = weights_s * float(rng.uniform(1.3, 3.0))
    ttft_s = max(0.25, float(rng.uniform(20, 80)) * weights_s)
    slo = SLO(ttft_s=round(ttft_s, 3), tpot_s=round(tpot_s, 4), attainment=0.95)
    loads = tuple(
        Load(name, None, relative).at_capacity(capacity_per_s)
        for name, relative in (
            ("sustained", 0.7),
            ("sustained", 1.2),
            (str(rng.choice(["burst", "gamma"])), 0.9),
        )
    )
    ratio, top = float(rng.uniform(1.4, 2.0)), bounds.max_num_seqs
    slots = sorted({max(1, round(top / ratio**k)) for k in range(5)})
    matrix = tuple(
        Setting(Limits(max_active=active, queue_max=queue, queue_timeout_s=timeout_s))
        for active, queue, timeout_s in itertools.product(
            slots, (8, 100), (round(0.7 * ttft_s, 2), round(4 * ttft_s, 2))
        )
    )
    default = matrix[int(rng.integers(len(matrix)))]
    return Scenario(
        seed,
        physics,
        bounds,
        float(rng.uniform(0.005, 0.02)),
        mix,
        slo,
        matrix,
        loads,
        default,
        measure_s,
        core,
    )


def closed_loop_capacity(profile: Profile, mix: Mix) -> float:
    """Requests per second of a loop that keeps the batch full."""
    plan = plans.make("sustained", 10.0, 0.0, 40.0, 5, mix=mix)
    users = profile.max_num_seqs
    work = [Planned(0.0, a.prompt_tokens, a.output_tokens) for a in plan.arrivals[: 6 * users]]
    return len(work) / simulate(work, profile, OPEN, users=users).end_s


def calibrate(scenario: Scenario) -> tuple[Model, float]:
    """The model as the command would fit it, and the engine time it took: a ladder, stairs, a held-out
    burst.
    """
    rng = np.random.default_rng([scenario.seed, 5])
    speed = float(rng.lognormal(0.0, scenario.drift_sd))
    rows, spent_s = _ladder(scenario, speed)
    for users in (1, 2, 4, 8, 16, 32, 64):
        for lengths in (((64, 64), (128, 48)), ((800, 64), (300, 100))):
            found, took_s = _stair(scenario, speed, users, lengths)
            rows += found
            spent_s += took_s
    known = fit(rows, draws=60, block=30, seed=scenario.seed)
    profile = _profile(scenario, list(known.values.values()))
    draws = tuple(_profile(scenario, row) for row in known.draws.tolist())
    discrepancy, took_s = _held_out(scenario, profile)
    return Model(profile, draws, discrepancy), spent_s + took_s


def _profile(scenario: Scenario, values: Sequence[float]) -> Profile:
    by_name = dict(zip((*NAMES, "knee_tokens"), values, strict=True))
    ingest_s = by_name.pop("overhead_s")
    return scenario.bounds.model_copy(update={**by_name, "ingest_s": ingest_s, "name": "calibrated"})


def _ladder(scenario: Scenario, speed: float) -> tuple[list[FitRow], float]:
    lengths = [16, 32, 64, 128, 256, 512, 768, 1024] * 3
    work = [Planned(5.0 * k, length, 1) for k, length in enumerate(lengths)]
    done = simulate(work, engine(scenario.physics, scenario.bounds, speed=speed, seed=1), OPEN)
    times = (done.first_s - done.due_s).tolist()
    rows = [row_of_alone(t, n) for t, n in zip(times, lengths, strict=True)]
    return rows, float(sum(times))


def _stair(
    scenario: Scenario, speed: float, users: int, lengths: Sequence[tuple[int, int]]
) -> tuple[list[FitRow], float]:
    """A closed loop of about four seconds, read from its steps."""
    true = engine(scenario.physics, scenario.bounds, speed=speed, seed=users)
    count = max(2, int(4.0 / (scenario.physics.weights_s * 80))) * users
    work = [Planned(0.0, *pair) for pair in itertools.islice(itertools.cycle(lengths), count)]
    with every_step(true) as steps:
        done = simulate(work, true, OPEN, users=users, until_s=4.0)
        rows = [row for row in steps if row.decoded]  # steps of prompts alone are not seen in streams
    return rows[:: max(1, len(rows) // 150)], done.end_s


def _held_out(scenario: Scenario, profile: Profile) -> tuple[Discrepancy, float]:
    """A burst of 20 s at a speed of its own, predicted at that speed, as the gate of a calibration does."""
    rng = np.random.default_rng([scenario.seed, 6])
    speed = float(rng.lognormal(0.0, scenario.drift_sd))
    plan = plans.make(
        "burst", 0.9 * predicted_capacity(profile, [(300, 100)]), 0.0, 20.0, 9, mix=scenario.mix
    )
    true = engine(scenario.physics, scenario.bounds, speed=speed, seed=99)
    with every_step(true) as steps:
        done = simulate(plan.arrivals, true, OPEN)
        factor = speed_of(steps, profile)
    twin = simulate(plan.arrivals, slower(profile, factor), OPEN)
    errors = [
        float(np.quantile(of_twin, q) / np.quantile(real, q) - 1)
        for real, of_twin in (
            (done.first_s - done.due_s, twin.first_s - twin.due_s), (done.last_s - done.due_s, twin.last_s -
            twin.due_s)
        )
        for q in (0.5, 0.95)
    ]  # fmt: skip
    return Discrepancy.of_held_out(factor, errors), done.end_s


def speed_of(steps: Sequence[FitRow], profile: Profile) -> float:
    """As a live run's: from the steps in which somebody decodes, which are those that streams show."""
    return held_out.speed_of_steps([row for row in steps if row.decoded], profile)


@dataclass(slots=True)
class VirtualBench:
    """Measures cells on the true engine: each run with a speed and a noise of its own."""

    scenario: Scenario
    model: Model
    runs: int = 0
    engine_s: float = 0.0
    seen: list[MeasuredRun] = field(default_factory=list)

    def measure(self, cells: Sequence[Cell]) -> list[MeasuredRun]:
        found = [self._one(cell) for cell in cells]
        self.seen += found
        return found

    def _one(self, cell: Cell) -> MeasuredRun:
        self.runs += 1
        rng = np.random.default_rng([self.scenario.seed, 8, self.runs])
        speed = float(rng.lognormal(0.0, self.scenario.drift_sd))
        plan = self.scenario.plan(cell)
        true = engine(self.scenario.physics, self.scenario.bounds, speed=speed, seed=1000 + self.runs)
        with every_step(true) as steps:
            done = simulate(plan.arrivals, true, cell.setting.limits, core=self.scenario.core)
            seen_speed = speed_of(steps[:: max(1, len(steps) // 2000)], self.model.profile)
        took_s = done.end_s + BETWEEN_S
        self.engine_s += took_s
        values = measures(plan, done, self.scenario.slo)
        return MeasuredRun(cell, values, intervals(plan, done), seen_speed, took_s)


def intervals(plan: Plan, done: Simulated) -> dict[str, tuple[float, float]]:
    """95 % intervals of the p95 latencies by the code that measured cells use."""
    begin_s, end_s = plan.phase_s("measure")
    ok = np.array([outcome == "ok" for outcome in done.outcome])
    ok &= (done.due_s >= begin_s) & (done.due_s < end_s)
    tokens = np.array([a.output_tokens for a in plan.arrivals])
    columns = {
        "ttft_p95_s": done.first_s - done.due_s,
        "e2e_p95_s": done.last_s - done.due_s,
        "tpot_p95_s": (done.last_s - done.first_s) / np.maximum(tokens - 1, 1),
    }
    found = {}
    for name, values in columns.items():
        if ok.sum() < 6:
            continue
        one = quantile_interval(values[ok], done.due_s[ok], 0.95)
        if one.low is not None and one.high is not None:
            found[name] = (one.low, one.high)
    return found


def truth(scenario: Scenario, traces: int) -> tuple[Floats, float]:
    """True mean goodput of every cell (settings, loads) on traces that nobody else saw, and the engine time
    of one trace of the whole grid."""
    goodput = np.zeros((len(scenario.settings), len(scenario.loads)))
    took_s = 0.0
    for (i, setting), (j, load) in itertools.product(enumerate(scenario.settings), enumerate(scenario.loads)):
        for k in range(traces):
            plan, done = scenario.run(Cell(setting, load, 500 + k), run_seed=k)
            goodput[i, j] += measures(plan, done, scenario.slo)["goodput_per_s"] / traces
            took_s += (done.end_s + BETWEEN_S) / traces
    return goodput, took_s
