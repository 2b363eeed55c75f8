"""The largest load that still meets the objective, with an interval, or that it lies outside of what was
measured.

Capacity under an SLO is the largest offered rate at which the share of the offered requests that meet it is
at least the target (the second definition of goodput: Zhong et al., DistServe, OSDI 2024). A knee by
curvature (Kneedle) moves with the range of the axis and is not used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import scipy

from experiments.stats.effective_size import of_indicator
from experiments.stats.goodput import Trace
from experiments.stats.share import wilson

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """One offered rate (requests per second): good and offered requests of each of its blocks.

    `n_eff`: how many independent requests all of them are worth (`effective_size.of_indicator`); None takes
    them for independent.
    """

    rate_per_s: float
    good: tuple[int, ...]
    offered: tuple[int, ...]
    n_eff: float | None = None

    @property
    def attainment(self) -> float:
        """Share of the offered requests, 0 to 1."""
        return sum(self.good) / max(1, sum(self.offered))

    def interval(self) -> tuple[float, float]:
        """95 % interval of the attainment: Wilson's for n_eff requests, or from three blocks on the wider
        of it and the t interval over blocks, which also holds what differs between traces."""
        n = self.n_eff if self.n_eff is not None else max(1, sum(self.offered))
        low, high = wilson(self.attainment * n, n)
        if len(self.good) < 3:
            return low, high
        shares = np.array(self.good) / np.maximum(1, np.array(self.offered))
        half = float(scipy.stats.t.ppf(0.975, len(shares) - 1) * shares.std(ddof=1) / np.sqrt(len(shares)))
        middle = float(shares.mean())
        return max(0.0, min(low, middle - half)), min(1.0, max(high, middle + half))


def load_point(rate_per_s: float, traces: Sequence[Trace]) -> LoadPoint:
    """The point of one rate from its judged traces, with what its requests are worth."""
    return LoadPoint(
        rate_per_s,
        tuple(int(trace.good.sum()) for trace in traces),
        tuple(len(trace.good) for trace in traces),
        sum(of_indicator(trace.good, trace.due_s).n_eff for trace in traces),
    )


class CapacityVerdict(StrEnum):
    """Where the capacity lies among the measured loads."""

    FOUND = "found"
    """between two of them"""
    NOT_REACHED = "not_reached"
    """every load met the objective"""
    BELOW_RANGE = "below_range"
    """none did"""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The largest steady rate at which an objective is met, requests per second; None: there is none."""

    verdict: CapacityVerdict
    value_per_s: float | None
    """where the isotonic fit of the attainment crosses the target"""
    low_per_s: float | None
    """the largest load up to which every one surely met it"""
    high_per_s: float | None
    """the smallest that surely did not"""
    why: str
    """the verdict in words"""


def capacity(points: Sequence[LoadPoint], target: float) -> Capacity:
    """Capacity under the SLO from the measured loads (any order, at least one)."""
    ranked = sorted(points, key=lambda point: point.rate_per_s)
    rates = np.array([point.rate_per_s for point in ranked])
    bounds = [point.interval() for point in ranked]
    surely = [low >= target for low, _ in bounds]
    surely_not = [high < target for _, high in bounds]
    low = next((i for i, met in enumerate(surely) if not met), len(ranked)) - 1
    high = next((i for i, missed in enumerate(surely_not) if missed), None)
    low_per_s = float(rates[low]) if low >= 0 else None
    high_per_s = float(rates[high]) if high is not None else None
    fitted = scipy.optimize.isotonic_regression(
        [p.attainment for p in ranked], weights=[max(1, sum(p.offered)) for p in ranked], increasing=False
    ).x
    value = _crossing(rates, fitted, target)
    span = f"{rates[0]:.3g} to {rates[-1]:.3g}/s"
    if fitted[-1] >= target:
        return Capacity(
            CapacityVerdict.NOT_REACHED, None, low_per_s, None, f"not reached in this range ({span})"
        )
    if value is None:
        return Capacity(
            CapacityVerdict.BELOW_RANGE, None, None, high_per_s, f"already missed at the lowest load ({span})"
        )
    between = f"{low_per_s:.3g}" if low_per_s is not None else "below the lowest load"
    above = f"{high_per_s:.3g}/s" if high_per_s is not None else "beyond the highest load"
    return Capacity(CapacityVerdict.FOUND, value, low_per_s, high_per_s, f"between {between} and {above}")


def _crossing(rates: Floats, fitted: Floats, target: float) -> float | None:
    """Where the falling line through the points passes the target; None when it starts below it."""
    if fitted[0] < target:
        return None
    for (rate, share), (next_rate, next_share) in pairwise(zip(rates, fitted, strict=True)):
        if share >= target > next_share:
            return float(rate + (share - target) / (share - next_share) * (next_rate - rate))
    return float(rates[-1])
