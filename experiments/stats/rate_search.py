"""Searching the largest offered rate that meets the objective, when every measurement is noisy.

A bisection that believes each answer ends in the wrong half as soon as one answer is wrong. Here a rate is
decided only when the interval of its attainment lies on one side of the target; an undecided one is measured
again on a fresh trace, three times at most, and then counts by its point estimate without moving the sure
bounds (the idea of probabilistic bisection: Waeber, Frazier and Henderson 2013). Sure bounds and the estimate
come from all that was measured (`knee.capacity`).
"""

from collections.abc import Sequence

from experiments.stats.knee import LoadPoint

GROWTH = 1.4
MOST_TRACES = 3


def next_rate(
    points: Sequence[LoadPoint], target: float, start_per_s: float, precision: float
) -> float | None:
    """The rate to measure next (requests per second), or None when the bracket is narrow enough.

    Args:
        points: what was measured so far, in any order.
        target: the attainment asked for, 0 to 1.
        start_per_s: where to begin.
        precision: the bracket's width at which the search ends, as a part of its lower end.
    """
    if not points:
        return start_per_s
    undecided = [p for p in points if decided(p, target) is None and len(p.good) < MOST_TRACES]
    if undecided:
        return max(undecided, key=lambda point: len(point.good)).rate_per_s
    met = [p.rate_per_s for p in points if _believed(p, target)]
    missed = [p.rate_per_s for p in points if not _believed(p, target)]
    if not missed:
        return _rounded(max(met) * GROWTH)
    if not met:
        return _rounded(min(missed) / GROWTH)
    high = min(missed)
    below = [rate for rate in met if rate < high]
    if not below:
        return _rounded(high / GROWTH)
    low = max(below)
    middle = _rounded((low * high) ** 0.5)
    return None if high / low - 1 <= precision or middle in (low, high) else middle


def decided(point: LoadPoint, target: float) -> bool | None:
    """Whether the rate surely meets the target, surely does not, or None."""
    low, high = point.interval()
    if low >= target:
        return True
    return False if high < target else None


def _believed(point: LoadPoint, target: float) -> bool:
    sure = decided(point, target)
    return point.attainment >= target if sure is None else sure


def _rounded(rate_per_s: float) -> float:
    return float(f"{rate_per_s:.3g}")
