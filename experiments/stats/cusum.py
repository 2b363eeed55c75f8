"""Has a level moved? The two-sided cumulative sum of Page (1954, "Continuous inspection schemes").

Of values x with mean zero and standard deviation σ while nothing has changed,

    up ← max(0, up + x/σ − k),   down ← max(0, down − x/σ − k),

an alarm where one passes h. The allowance k is half of the shift that is to be found, in σ: for that shift no
scheme with as few false alarms is faster (Moustakides 1986). The bound h gives each side a mean of L values
between false alarms by Siegmund's approximation (1985, "Sequential Analysis", section 2.6),

    L = (exp(2kb) − 2kb − 1) / (2k²),   b = h + 1.166.

Where values depend on those before, σ is the one of their long-run mean (Kim, Alexopoulos, Tsui and Wilson
2007, "A distribution-free tabular CUSUM chart for autocorrelated data").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import scipy

Floats = npt.NDArray[np.float64]

_OVERSHOOT = 1.166
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
    """σ of the values in their own unit, allowance k and bound h in σ, and how many values of the whole shift
    pass it on average."""

    sd: float
    allowance: float
    bound: float
    values_to_find: float


@dataclass(frozen=True, slots=True)
class Cusum:
    """Both sums, in σ, after the values so far, and the change that is claimed. `up_since`, `down_since`:
    values since the sum was last zero, and `up_total`, `down_total` what they add up to, in their own
    unit."""

    up: float = 0.0
    down: float = 0.0
    up_since: int = 0
    down_since: int = 0
    up_total: float = 0.0
    down_total: float = 0.0
    moved: Moved = Moved.NO

    def after(self, value: float, design: CusumDesign) -> Cusum:
        """The sums after one more value."""
        most = 2 * design.allowance + _MOST_SD
        z = min(max(value / design.sd, -most), most)
        farthest = _FARTHEST * design.bound
        up = min(max(0.0, self.up + z - design.allowance), farthest)
        down = min(max(0.0, self.down - z - design.allowance), farthest)
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


def design(sd: float, shift: float, values_between: float) -> CusumDesign:
    """The scheme for a shift of `shift` > 0 in values of standard deviation `sd` > 0, with `values_between`
    values between two false alarms of each side."""
    k = shift / sd / 2
    b = float(scipy.optimize.brentq(lambda at: _run_length(k, at) - values_between, 1e-6, 350 / k))
    h = max(0.5, b - _OVERSHOOT)
    # Siegmund with the drift against the sum, which is now +k: (exp(−2kb) + 2kb − 1) / (2k²).
    reach = 2 * k * (h + _OVERSHOOT)
    return CusumDesign(sd, k, h, max(1.0, (math.exp(-reach) + reach - 1) / (2 * k * k)))


def _run_length(k: float, b: float) -> float:
    return (math.exp(2 * k * b) - 2 * k * b - 1) / (2 * k * k)


def long_run_sd(values: Floats) -> float:
    """σ of the values as their long-run mean has it: with the autocovariances of the first ∛n lags, weighed
    by Bartlett's window (Newey and West 1987); never below their plain standard deviation, outliers drawn in
    to four robust ones.
    """
    centre = float(np.median(values))
    robust = 1.4826 * float(np.median(np.abs(values - centre)))
    bounded = np.clip(values, centre - 4 * robust, centre + 4 * robust) if robust else values
    off = bounded - bounded.mean()
    n = len(off)
    variance = float(off @ off) / n
    lags = round(n ** (1 / 3))
    sums = [(1 - lag / (lags + 1)) * float(off[lag:] @ off[:-lag]) / n for lag in range(1, lags + 1)]
    return math.sqrt(max(variance, variance + 2 * sum(sums)))
