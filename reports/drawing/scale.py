"""Where numbers lie between the ends of an axis, and round numbers to name there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_FEW_DECADES = 5
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Scale:
    """`low` lies at 0 and `high` at 1; `low` may be the larger one. Logarithmic: both are above 0."""

    low: float
    high: float
    logarithmic: bool = False

    def share(self, values: npt.ArrayLike) -> Floats:
        """The place of each value; what is not above 0 lies far below a logarithmic axis."""
        at, low, high = np.asarray(values, dtype=float), self.low, self.high
        if self.logarithmic:
            at = np.log10(np.maximum(at, _TINY))
            low, high = math.log10(low), math.log10(high)
        return (at - low) / (high - low)

    def ticks(self, most: int) -> list[float]:
        """Round values between the ends, about `most` steps apart at the most."""
        low, high = min(self.low, self.high), max(self.low, self.high)
        return _decades(low, high) if self.logarithmic else _evenly(low, high, most)


def _evenly(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten."""
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * one for one in _STEPS if power * one >= least * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{step * count:.12g}") for count in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten, fewer where these are many; evenly where three of them do not fit."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [
            step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high
        ]
        if len(found) <= _FEW_DECADES:
            break
    return found if len(found) >= 3 else _evenly(low, high, 4)


Show = Callable[[float], str]


def plain(value: float) -> str:
    """A number as a tick shows it."""
    return f"{value:g}".replace("-", "−")


def percent(value: float) -> str:
    """A share as a tick shows it."""
    return f"{100 * value:g} %".replace("-", "−")


def change(value: float) -> str:
    """A relative change as a tick shows it."""
    return f"{100 * value:+.4g} %".replace("-", "−") if value else "0 %"
