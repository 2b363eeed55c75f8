"""Predictions at the speed of other seconds than those they are scored on.

A twin that is as fast as the engine was in that very cell has seen a part of what it predicts. Here the
cell's time is cut into stretches: what was due in the even ones is predicted at the speed that the engine's
steps had in the odd ones, and the other way round. So the speed of the machine around that time is known, as
a run knows it from its cells, and nothing of the seconds that count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from experiments.calibration.compared import (
    LEVEL,
    NAMES,
    TTFT_LOAD,
    Floats,
    load_of,
    measured_of,
    off,
    seen_in,
)
from experiments.calibration.held_out import speed_of_steps
from experiments.calibration.measured_cells import ReplayCell
from experiments.calibration.step_rows import rows_of
from experiments.speed.steps import Steps, steps_of
from experiments.twin.profile import Profile, slower
from experiments.twin.simulate import Player
from experiments.twin.through_lanes import offered_of
from loadtests.slo import SLO

Chosen = npt.NDArray[np.bool_]

STRETCH_S = 5.0
"""Several lives of a request, and shorter than most disturbances."""
LEAST_STEPS = 40
"""Steps that one half of the stretches must have, or the whole cell's speed stands for both."""
LEAST_SPEED_SD = 0.005
LATENCY_SD = 0.03
"""Of the logarithm of a latency: what the model may be wrong by though speed and parameters are right."""
DRAWN = 3
"""Intervals are of so many draws of speed and latency for each of the parameters."""


@dataclass(frozen=True, slots=True)
class BlindMetric:
    """A measure of a cell beside its prediction; the error is predicted over measured, less one."""

    predicted: float | None
    low: float | None
    high: float | None
    measured: float | None
    error: float | None
    inside: bool


@dataclass(frozen=True, slots=True)
class BlindCell:
    """`speed`: measured over modelled seconds of the steps in the even and in the odd stretches."""

    cell: str
    load: float
    speed: tuple[float, float]
    metrics: Mapping[str, BlindMetric]


@dataclass(frozen=True, slots=True)
class BlindErrors:
    """Of one metric over all cells that count for it; |error| in the median and at its 90th percentile."""

    n: int
    median: float | None
    p90: float | None
    inside: int


def predict_blind(
    cells: Sequence[ReplayCell], profile: Profile, draws: Sequence[Profile], slo: SLO, lag_s: float
) -> list[BlindCell]:
    """Every cell at the speed of its other seconds.

    Args:
        cells: measured.
        profile: the best estimate of the engine.
        draws: its parameters as they may be; the intervals also allow for how far neighbouring stretches
            differ in speed, and for `LATENCY_SD`.
        slo: of the run.
        lag_s: of the load generator, s.
    """
    speeds = [_speeds(cell, profile) for cell in cells]
    apart = np.abs([math.log(even / odd) for even, odd in speeds])
    usual = 1.4826 * float(np.median(apart)) / math.sqrt(2) if len(apart) else 0.0
    twin = _Twin(profile, draws, slo, lag_s, max(LEAST_SPEED_SD, usual))
    return [twin.predict(cell, speed) for cell, speed in zip(cells, speeds, strict=True)]


def errors_of(cells: Sequence[BlindCell]) -> dict[str, BlindErrors]:
    """The errors of each metric; TTFT only up to `TTFT_LOAD`, as everywhere."""
    rows = {}
    for name in NAMES:
        counted = [
            cell.metrics[name]
            for cell in cells
            if cell.metrics[name].error is not None and (name != "ttft_s_p95" or cell.load <= TTFT_LOAD)
        ]
        wrong = np.abs([metric.error for metric in counted if metric.error is not None])
        rows[name] = BlindErrors(
            n=len(counted),
            median=float(np.median(wrong)) if len(wrong) else None,
            p90=float(np.quantile(wrong, 0.9)) if len(wrong) else None,
            inside=sum(metric.inside for metric in counted),
        )
    return rows


def _is_even(times_s: Floats) -> Chosen:
    even: Chosen = np.floor(times_s / STRETCH_S) % 2 == 0
    return even


def _speeds(cell: ReplayCell, profile: Profile) -> tuple[float, float]:
    steps = steps_of(cell.answers)
    even = _is_even(steps.end_s - steps.seconds / 2)
    halves: list[Steps] = [steps.where(even), steps.where(~even)]
    if min(len(half) for half in halves) < LEAST_STEPS:
        halves = [steps, steps]
    first, second = (speed_of_steps(rows_of(half), profile) for half in halves)
    return first, second


@dataclass(slots=True)
class _Twin:
    """Plays cells at two speeds; the arguments are those of `predict_blind`."""

    profile: Profile
    draws: Sequence[Profile]
    slo: SLO
    lag_s: float
    speed_sd: float
    player: Player = field(default_factory=Player)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def predict(self, cell: ReplayCell, speed: tuple[float, float]) -> BlindCell:
        best = self._measures(cell, self.profile, speed)
        drawn: list[dict[str, float]] = []
        for draw in self.draws:
            factor = float(np.exp(self.speed_sd * self.rng.standard_normal()))
            values = self._measures(cell, draw, (factor * speed[0], factor * speed[1]))
            drawn += [
                {name: v * (latency if name.endswith("_p95") else 1.0) for name, v in values.items()}
                for latency in np.exp(LATENCY_SD * self.rng.standard_normal(DRAWN)).tolist()
            ]
        metrics = {name: _metric(cell, name, best[name], [one[name] for one in drawn]) for name in NAMES}
        return BlindCell(cell.id, load_of(cell, self.profile), speed, metrics)

    def _measures(self, cell: ReplayCell, engine: Profile, speed: tuple[float, float]) -> dict[str, float]:
        """Played at both speeds; of each what was due in the stretches of the other."""
        offered = offered_of(cell.plan, cell.setting.table, cell.arrivals)
        at_even, at_odd = (
            self.player.simulate(offered, slower(engine, s), cell.setting.limits) for s in speed
        )
        even = _is_even(at_even.due_s)
        columns = {
            name: np.where(even, getattr(at_odd, name), getattr(at_even, name))
            for name in ("codes", "due_s", "granted_s", "first_s", "last_s")
        }
        return measured_of(cell, replace(at_even, **columns), self.slo, self.lag_s)


def _metric(cell: ReplayCell, name: str, best: float, drawn: Sequence[float]) -> BlindMetric:
    measured = seen_in(cell, name).value
    known = [value for value in drawn if math.isfinite(value)]
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist() if known else (None, None)
    return BlindMetric(
        predicted=best if math.isfinite(best) else None,
        low=low,
        high=high,
        measured=measured,
        error=off(cell, name, best),
        inside=low is not None and high is not None and measured is not None and low <= measured <= high,
    )
