"""Searching the largest offered rate that meets the objective, when every measurement is noisy.

A bisection that believes each answer ends in the wrong half as soon as one answer is wrong, and throws away
how far an answer was from the target. Here all that was measured goes into one curve (`attainment_curve`),
and the next stretch is offered at the rate that tells most about the crossing (Kontsevich and Tyler 1999).
The posterior does not depend on why a rate was chosen, so one may stop at any time and the interval holds.
"""

from collections.abc import Sequence

import numpy as np

from experiments.stats.attainment_curve import Posterior, posterior
from experiments.stats.knee import capacity_of
from experiments.stats.stretch import Stretch

GROWTH = 1.5
"""The most by which a rate goes beyond those that were measured."""
FALL = 2.0
"""By how much it falls while every rate surely missed."""
REACH = 16.0
"""How far from its beginning, as a factor, a search looks for a rate that is met, or missed."""
FEWEST = 4
"""Stretches before the interval is believed."""
_CANDIDATES = 25
_AROUND = 1.05
"""How far outside of where the crossing may be a rate is tried: just above it the curve is steepest."""


def next_rate(
    stretches: Sequence[Stretch], target: float, start_per_s: float, precision: float
) -> float | None:
    """The rate to offer next (requests per second, three digits); None when the interval is narrow enough, or
    nothing within `REACH` of the beginning meets the objective, or misses it.

    Args:
        stretches: what was measured so far, in any order; also by others, at any rates.
        target: the attainment asked for, above 0, at most 1.
        start_per_s: where to begin.
        precision: half of the 95 % interval's width, as a part of the answer, at which the search ends.
    """
    if not stretches:
        return start_per_s
    known = posterior(stretches, target)
    measured = [s.rate_per_s for s in stretches]
    lowest, highest = min(measured), max(measured)
    lower, upper = known.quantile(0.025), known.quantile(0.975)
    if (upper is None and highest >= start_per_s * REACH) or (
        lower is None and lowest <= start_per_s / REACH
    ):
        return None
    if upper is None and lower is not None and lower > highest:
        return _rounded(highest * GROWTH)
    if lower is None and upper is not None and upper < lowest:
        return _rounded(lowest / FALL)
    width = capacity_of(known, stretches).half_width
    if len(stretches) >= FEWEST and width is not None and width <= precision:
        return None
    return _most_telling(known, stretches, lowest / GROWTH, highest * GROWTH)


def _most_telling(known: Posterior, stretches: Sequence[Stretch], low: float, high: float) -> float:
    """The rate between the two, and where the crossing may be, of which a stretch tells most of it."""
    low = max(low, (known.quantile(0.01) or low) / _AROUND)
    high = max(low * 1.01, min(high, (known.quantile(0.99) or high) * _AROUND))
    rates = np.geomspace(low, high, _CANDIDATES)
    told = known.information(rates, float(np.median([s.duration_s for s in stretches])))
    return _rounded(rates[int(np.argmax(told))])


def _rounded(rate_per_s: float) -> float:
    return float(f"{rate_per_s:.3g}")
