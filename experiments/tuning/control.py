"""The twin as a control variate: what a cell does on average, from a few real runs and the twin on the very
same traces.

    θ(x) = E[twin(x, new traces)] + mean over runs i of { real_i(x) − twin(x, trace_i, k_i) }

with k_i the speed of run i, from its own steps. The first term costs no engine time; the luck of the few
traces is in both parts of the second and cancels. That second term, by itself, is the model's error.
(Lavenberg and Welch 1981, "A perspective on the use of control variables"; here with the coefficient 1,
since the twin means the same quantity.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from experiments.design.cells import Cell
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.stats import sequential
from experiments.tuning.model import Discrepancy, Model
from experiments.tuning.task import MeasuredRun, Task
from experiments.twin.predicted import MEASURES, Predictor, measures
from experiments.twin.profile import slower
from experiments.twin.simulate import Player, simulate
from experiments.twin.through_lanes import offered_of
from loadtests.planning.plan import Plan

Floats = npt.NDArray[np.float64]
Pair = tuple[Setting, Load]
LEAST_TRACES = 6


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval (None below two runs), and the model's error in it: mean of real − twin
    on the same traces. Requests per second."""

    value: float
    low: float | None
    high: float | None
    model_error: float
    runs: int


@dataclass(frozen=True, slots=True)
class CorrectedEvidence:
    """Verified cells beside the twin. `same`: what the twin does on each run's trace at that run's speed, by
    cell; `expected`: its goodput on new traces at the speed of these runs, shape (draws,), the same draws for
    every pair."""

    task: Task
    seen: tuple[MeasuredRun, ...]
    same: Mapping[Cell, Mapping[str, float]]
    expected: Mapping[Pair, Floats]
    speed: float

    def residuals(self, pair: Pair) -> dict[int, float]:
        """Block → real − twin goodput of the same trace."""
        return {
            s.cell.block: s.values["goodput_per_s"] - self.same[s.cell]["goodput_per_s"]
            for s in self.seen
            if (s.cell.setting, s.cell.load) == pair
        }

    def estimate(self, pair: Pair) -> Estimate:
        """θ of a measured cell."""
        residuals = np.array(list(self.residuals(pair).values()))
        value, half = _sum(self.expected[pair], residuals, self._resolution(pair), 0.05)
        model_error = float(residuals.mean())
        value = max(0.0, value)
        if half is None:
            return Estimate(value, None, None, model_error, len(residuals))
        return Estimate(value, max(0.0, value - half), value + half, model_error, len(residuals))

    def gap(self, a: Pair, b: Pair, share: float = 1.0) -> tuple[float, float | None, float | None]:
        """θ(a) − θ(b) and its interval, paired by block and by draw, at the level of this look; `share` of
        the error."""
        of_a, of_b = self.residuals(a), self.residuals(b)
        common = sorted(of_a.keys() & of_b.keys())
        residuals = np.array([of_a[k] - of_b[k] for k in common])
        if not len(residuals):
            return float((self.expected[a] - self.expected[b]).mean()), None, None
        n = len(residuals)
        alpha = share * (sequential.level(n) if n >= sequential.LOOKS[0] else 0.05)
        value, half = _sum(self.expected[a] - self.expected[b], residuals, self._resolution(a), alpha)
        return (value, None, None) if half is None else (value, value - half, value + half)

    def _resolution(self, pair: Pair) -> float:
        """One request more or less in the window of a run."""
        begin_s, end_s = self.task.plan(Cell(*pair, 0)).phase_s("measure")
        return 1.0 / (end_s - begin_s)


def gather(
    task: Task, model: Model, seen: Sequence[MeasuredRun], traces: int, seed: int = 1
) -> CorrectedEvidence:
    """Play the twin beside every verified run, and on `traces` new ones at the speed that the runs had."""
    same = {s.cell: same_trace(task, model, s) for s in seen}
    logs = np.log([s.speed for s in seen])
    speed = float(np.exp(np.median(logs)))
    spread = float(logs.std(ddof=1)) if len(logs) > 2 else model.discrepancy.speed_sd
    now = model.rescaled(speed, Discrepancy(spread, model.discrepancy.latency_sd))
    pairs = dict.fromkeys((s.cell.setting, s.cell.load) for s in seen)
    plans = {load: task.fresh_plans(load, traces) for load in dict.fromkeys(load for _, load in pairs)}
    draws, player = now.sample(traces, seed), Player()
    predictors = {load: Predictor(of, draws, task.slo, player) for load, of in plans.items()}
    expected = {
        (setting, load): at_rate(
            predictors[load].runs(setting.limits, setting.table)["goodput_per_s"],
            offered(plans[load]),
            load.rate_per_s,
        )
        for setting, load in pairs
    }
    return CorrectedEvidence(task, tuple(seen), same, expected, speed)


def offered(plans: Sequence[Plan]) -> Floats:
    """Requests per second that each trace offers in its measured window, shape (traces,)."""
    spans = [plan.phase_s("measure") for plan in plans]
    return np.array(
        [plan.offered("measure") / (end - begin) for plan, (begin, end) in zip(plans, spans, strict=True)]
    )


def at_rate(goodput: Floats, offered_per_s: Floats, rate_per_s: float | None) -> Floats:
    """Goodputs as if every trace had offered exactly the rate: the number of arrivals is a second control
    variate, its mean known. g − β·(offered − rate), β from the traces themselves."""
    spread = offered_per_s - offered_per_s.mean()
    if rate_per_s is None or len(goodput) < LEAST_TRACES or not spread.any():
        return goodput
    slope = float(spread @ goodput / (spread @ spread))
    return np.asarray(goodput - slope * (offered_per_s - rate_per_s))


def same_trace(task: Task, model: Model, seen: MeasuredRun) -> dict[str, float]:
    """What the twin does on the trace of a run, at that run's speed."""
    plan = task.plan(seen.cell)
    profile = slower(model.profile, seen.speed)
    setting = seen.cell.setting
    offered = offered_of(plan, setting.table)
    return measures(plan, simulate(offered, profile, setting.limits), task.slo)


def latency_residual(evidence: CorrectedEvidence) -> float:
    """Root mean square of log(real/twin) of the p95 latencies on the same traces; nan without any."""
    names = [name for name in MEASURES if name in ("ttft_p95_s", "e2e_p95_s")]
    ratios = [
        math.log(s.values[name] / evidence.same[s.cell][name])
        for s in evidence.seen
        for name in names
        if s.values[name] > 0 and evidence.same[s.cell][name] > 0
    ]
    return math.sqrt(sum(x * x for x in ratios) / len(ratios)) if ratios else float("nan")


def _sum(expected: Floats, residuals: Floats, resolution: float, alpha: float) -> tuple[float, float | None]:
    """The sum of both terms and its half width at `alpha`: t over the runs, normal over the draws."""
    value = float(expected.mean() + residuals.mean())
    n = len(residuals)
    if n < 2:
        return value, None
    sd = max(float(residuals.std(ddof=1)), resolution / 2)
    of_runs = float(scipy.stats.t.isf(alpha / 2, n - 1)) * sd / math.sqrt(n)
    of_draws = float(scipy.stats.norm.isf(alpha / 2)) * float(expected.std(ddof=1)) / math.sqrt(len(expected))
    return value, math.hypot(of_runs, of_draws)
