"""Has a level moved? Two cumulative sums of the evidence, up and down (Page 1954, "Continuous inspection
schemes").

A value x has mean zero while nothing has changed, and standard deviation σ, which may be another one for each
value. The evidence that the mean is δ, and not the m < δ that is still tolerated, is the log likelihood
ratio,

    up ← max(0, up + (δ − m)/σ² · (x − (δ + m)/2)),   down: the same of −x,

an alarm where one passes h. No scheme with as few false alarms finds that shift sooner (Moustakides 1986).
With h = ln L each side has at least L values between two false alarms on average, whatever the σ, as long as
the mean is m at most (Lorden 1971, "Procedures for reacting to a change in distribution"). Where values
depend on those before, σ is the one of their long-run mean (Kim, Alexopoulos, Tsui and Wilson 2007, "A
distribution-free tabular CUSUM chart for autocorrelated data").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_FARTHEST = 2.0
"""No sum grows beyond so many bounds, so that an end of the change is seen, too."""
_MOST_SD = 3.0
"""A value counts as no more than the shift and so many σ: one odd value is not a change."""


class Moved(StrEnum):
    """What is said of the level now."""

    NO = "no"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class CusumDesign:
    """The shift δ that is to be found and the m < δ that is tolerated, in the values' unit, and the bound
    h."""

    shift: float
    tolerated: float
    bound: float

    @classmethod
    def of(cls, shift: float, tolerated: float, values_between: float) -> CusumDesign:
        """With so many values, on average and at least, between two false alarms of each side."""
        return cls(shift, tolerated, math.log(values_between))

    def values_to_find(self, sd: float) -> float:
        """About how many values of the whole shift it takes, where their standard deviation is `sd`."""
        return max(1.0, self.bound / ((self.shift - self.tolerated) ** 2 / (2 * sd**2)))


@dataclass(frozen=True, slots=True)
class Cusum:
    """Both sums after the values so far, and the change that is claimed. `up_since`, `down_since`:
    values since the sum was last zero, and `up_total`, `down_total` what they add up to, in their own
    unit."""

    up: float = 0.0
    down: float = 0.0
    up_since: int = 0
    down_since: int = 0
    up_total: float = 0.0
    down_total: float = 0.0
    moved: Moved = Moved.NO

    def after(self, value: float, sd: float, design: CusumDesign) -> Cusum:
        """The sums after one more value, of standard deviation `sd` > 0."""
        gap, middle = design.shift - design.tolerated, (design.shift + design.tolerated) / 2
        most = design.shift + _MOST_SD * sd
        bounded = min(max(value, -most), most)
        farthest = _FARTHEST * design.bound
        up, down = (
            min(max(0.0, total + gap / sd**2 * (x - middle)), farthest)
            for total, x in ((self.up, bounded), (self.down, -bounded))
        )
        grown = replace(
            self,
            up=up,
            down=down,
            up_since=self.up_since + 1 if up else 0,
            down_since=self.down_since + 1 if down else 0,
            up_total=self.up_total + value if up else 0.0,
            down_total=self.down_total + value if down else 0.0,
        )
        return replace(grown, moved=grown._moved(design.bound))

    def _moved(self, bound: float) -> Moved:
        """An alarm ends where its sum has come down to half of the bound."""
        for side, total in ((Moved.UP, self.up), (Moved.DOWN, self.down)):
            if total > bound or (self.moved is side and total > bound / 2):
                return side
        return Moved.NO

    @property
    def size(self) -> float:
        """About how far the level has moved, in the values' unit: their mean since the sum left zero."""
        if self.moved is Moved.UP:
            return self.up_total / max(1, self.up_since)
        return self.down_total / max(1, self.down_since) if self.moved is Moved.DOWN else 0.0


def long_run_sd(values: Floats) -> float:
    """σ of the values as their long-run mean has it: with the autocovariances of the first 2·∛n lags, weighed
    by Bartlett's window (Newey and West 1987); never below their plain standard deviation, outliers drawn in
    to four robust ones.
    """
    centre = float(np.median(values))
    robust = 1.4826 * float(np.median(np.abs(values - centre)))
    bounded = np.clip(values, centre - 4 * robust, centre + 4 * robust) if robust else values
    off = bounded - bounded.mean()
    n = len(off)
    variance = float(off @ off) / n
    lags = min(n - 1, round(2 * n ** (1 / 3)))
    sums = [(1 - lag / (lags + 1)) * float(off[lag:] @ off[:-lag]) / n for lag in range(1, lags + 1)]
    return math.sqrt(max(variance, variance + 2 * sum(sums)))
