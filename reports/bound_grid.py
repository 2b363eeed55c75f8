"""The bounds on a latency that a reader of the page can choose, and where each request lies between them.

All numbers of so many significant digits from 1 µs to three hours, and the bounds of the run's own objective:
steps of 0.1 to 1 % with three digits. A request is filed under the smallest bound that it meets, so its
judgement under each of them is exact. `judge.js` makes the same list in the same way.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_DECADES = range(-6, 4)


@lru_cache(maxsize=8)
def bounds_s(digits: int, own_s: float | None) -> NDArray[np.float64]:
    """Every bound in ascending order, seconds; each is the float that `SLO.parse` makes of its text."""
    mantissas = range(10 ** (digits - 1), 10**digits)
    texts = [(m, decade - digits + 1) for decade in _DECADES for m in mantissas]
    grid = [_parsed_s(m, exponent) for m, exponent in texts]
    return np.unique(np.array([*grid, *([] if own_s is None else [own_s])]))


def _parsed_s(mantissa: int, exponent: int) -> float:
    """`mantissa` · 10^`exponent` seconds as an objective says it: in ms below one second."""
    whole_s = float(f"{mantissa}e{exponent}")
    return whole_s if whole_s >= 1 else float(f"{mantissa}e{exponent + 3}") * 1e-3


def places(values_s: NDArray[np.float64], bounds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Where n values lie among k bounds (n,): 0 for nan, which meets all; i + 1 for the smallest bound i that
    is met; k + 1 where none is.
    """
    found = np.searchsorted(bounds, values_s, side="left") + 1
    return np.where(np.isnan(values_s), 0, found)
