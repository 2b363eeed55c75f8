"""The whole matrix as the twin expects it: every setting at every load, on traces and engines drawn anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.tuning.model import Model
from experiments.tuning.task import Task
from experiments.twin.predicted import Expected, Predictor, measures_of, of_class
from experiments.twin.simulate import Player
from loadtests.slo import SLO

Floats = npt.NDArray[np.float64]
LEVEL = 0.90
LATENCIES = ("ttft_p95_s", "tpot_p95_s", "e2e_p95_s", "queue_p95_s")


@dataclass(frozen=True, slots=True)
class Outlook:
    """`runs`: measure → predicted single runs, shape (settings, loads, draws); nan where it is not defined.

    A draw is one arrival trace on one engine that the calibration allows; the same for all settings.
    """

    settings: tuple[Setting, ...]
    loads: tuple[Load, ...]
    runs: dict[str, Floats]
    latency_sd: float

    @property
    def goodput(self) -> Floats:
        """Mean over the draws, requests per second, shape (settings, loads)."""
        return np.asarray(self.runs["goodput_per_s"].mean(axis=2))

    @property
    def regret(self) -> Floats:
        """Worst over the loads of 1 − goodput/best goodput, of the means; shape (settings,)."""
        return regret_of(self.goodput)

    @property
    def regret_by_draw(self) -> Floats:
        """Regret at each load in each draw, shape (settings, loads, draws)."""
        goodput = self.runs["goodput_per_s"]
        best = goodput.max(axis=0)
        return np.asarray(1.0 - np.divide(goodput, best, out=np.ones_like(goodput), where=best > 0))

    def place(self, setting: Setting, load: Load) -> tuple[int, int]:
        """Indices of a cell."""
        return self.settings.index(setting), self.loads.index(load)

    def surely_missed(self, setting: Setting, load: Load, slo: SLO) -> tuple[str, ...]:
        """The load classes of whose attainment the whole prediction interval lies below their objective."""
        return tuple(
            name
            for name, own in slo.classes
            if self.interval(setting, load, of_class(name)).high < own.attainment
        )

    def interval(self, setting: Setting, load: Load, measure: str) -> Expected:
        """Mean and 90 % prediction interval of one run on a trace that is not known.

        With n draws of mean m and standard deviation s: m ± t(n − 1)·√(s²·(1 + 1/n) + τ²), for latencies of
        their logarithms, τ being the discrepancy; rates and shares cannot leave their range.
        """
        values = self.runs[measure][self.place(setting, load)]
        values = values[~np.isnan(values)]
        if len(values) < 2:
            return Expected(float("nan"), float("nan"), float("nan"))
        logarithmic = measure in LATENCIES and bool(np.all(values > 0))
        x = np.log(values) if logarithmic else values
        extra = self.latency_sd if logarithmic else 0.0
        n, middle = len(x), float(x.mean())
        sd = float(np.sqrt(x.var(ddof=1) * (1 + 1 / n) + extra**2))
        half = float(scipy.stats.t.ppf((1 + LEVEL) / 2, n - 1)) * sd
        low, high = middle - half, middle + half
        if logarithmic:
            return Expected(float(np.exp(middle)), float(np.exp(low)), float(np.exp(high)))
        share = measure.startswith("attainment") or measure == "rejected_ratio"
        top = 1.0 if share else float("inf")
        return Expected(middle, max(0.0, low), min(top, high))


def predict(
    task: Task, model: Model, traces: int, *, seed: int = 0, tell: Callable[[int, int], None] | None = None
) -> Outlook:
    """Play the matrix on `traces` fresh traces a load; `tell` hears (loads done, loads)."""
    shape = (len(task.settings), len(task.loads), traces)
    runs = {name: np.full(shape, np.nan) for name in measures_of(task.slo)}
    player = Player(expected=traces * len(task.loads))
    order = sorted(range(len(task.settings)), key=lambda i: task.settings[i].smaller_first, reverse=True)
    for j, load in enumerate(task.loads):
        predictor = Predictor(task.fresh_plans(load, traces), model.sample(traces, seed), task.slo, player)
        for i in order:  # the widest first: what binds nowhere is played once
            setting = task.settings[i]
            for name, values in predictor.runs(setting.limits, setting.table).items():
                runs[name][i, j] = values
        if tell is not None:
            tell(j + 1, len(task.loads))
    return Outlook(task.settings, task.loads, runs, model.discrepancy.latency_sd)


def regret_of(goodput: Floats) -> Floats:
    """Worst over the loads of 1 − goodput/best at that load; (settings, loads) → (settings,)."""
    best = goodput.max(axis=0)
    relative = np.divide(goodput, best, out=np.ones_like(goodput), where=best > 0)
    return np.asarray((1.0 - relative).max(axis=1))
