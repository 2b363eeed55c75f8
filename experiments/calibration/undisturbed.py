"""Fits the parts of a calibration in which nothing else slowed the machine down.

On a shared machine a part can be 10 % slower than its neighbours. What runs beside only slows down, so
parts that are slower than most by more than what parts usually differ are left out; every closed loop is
measured twice, so the other pass stands for it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.calibration.fit import Fit, FitRow, Floats, fit, modelled_s, table_of

LEAST_ROWS = 40
"""Steps in a part below which its speed says nothing."""
LEAST_SPEED_SD = 0.015
"""Two runs of the same cell on a quiet machine differ by about as much."""
TOO_SLOW = 2.5
"""Standard deviations above the median from which on a part counts as disturbed."""


@dataclass(frozen=True, slots=True)
class UndisturbedFit:
    """The fit of the undisturbed parts, which those are, and how much all parts differ: standard deviation of
    the logarithm of measured over modelled seconds around its median. What disturbed the calibration will
    disturb a run as well, so prediction intervals have to allow for it.
    """

    fit: Fit
    kept: tuple[bool, ...]
    speed_sd: float

    @property
    def disturbed(self) -> int:
        """Parts left out."""
        return self.kept.count(False)


def fit_undisturbed(
    alone: Sequence[FitRow], parts: Sequence[Sequence[FitRow]], *, seed: int, block: int, draws: int = 200
) -> UndisturbedFit:
    """Fit the prompts `alone` and the parts; twice leave out what was disturbed, then fit what is left.

    Raises:
        ValueError: fewer rows than parameters.
    """
    kept = [True] * len(parts)
    speed_sd = LEAST_SPEED_SD
    for _ in range(2):
        rough = fit(_rows(alone, parts, kept), draws=0)
        logs = [_log_speed(part, np.array(list(rough.values.values()))) for part in parts]
        known = [log for log in logs if log is not None]
        if len(known) < 3:
            break
        middle = statistics.median(known)
        spread = max(LEAST_SPEED_SD, 1.4826 * statistics.median(abs(log - middle) for log in known))
        kept = [log is None or log <= middle + TOO_SLOW * spread for log in logs]
        speed_sd = max(LEAST_SPEED_SD, math.sqrt(statistics.fmean((log - middle) ** 2 for log in known)))
    best = fit(_rows(alone, parts, kept), seed=seed, block=block, draws=draws)
    return UndisturbedFit(best, tuple(kept), speed_sd)


def _rows(alone: Sequence[FitRow], parts: Sequence[Sequence[FitRow]], kept: Sequence[bool]) -> list[FitRow]:
    chosen = (part for part, keep in zip(parts, kept, strict=True) if keep)
    return [*alone, *(row for part in chosen for row in part)]


def _log_speed(part: Sequence[FitRow], values: Floats) -> float | None:
    """Of measured over modelled seconds; None where there is too little."""
    if len(part) < LEAST_ROWS:
        return None
    table = table_of(part)
    return math.log(float(table[:, 0].sum() / modelled_s(table, values).sum()))
