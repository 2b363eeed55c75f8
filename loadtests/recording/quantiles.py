"""Exact quantiles of a sample with distribution-free confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Sample = NDArray[np.floating[Any]]
MINIMUM_N = {0.5: 6, 0.95: 59, 0.99: 299}
"""Least sample size for a two-sided 95 % interval (p50: 2·0.5ⁿ ≤ 0.05; p95, p99: 1 - qⁿ ≥ 0.95 above it)."""
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile with its 95 % interval, in the unit of the sample."""

    value: float | None
    """a value that was measured; none below the least number of samples"""
    low: float | None
    """none where the samples are too few, or too much alike, for an interval"""
    high: float | None
    n_eff: float | None = None
    """independent samples that the correlated ones are worth, where that was asked"""
    why: str | None = None
    """why a value is missing"""


def quantile(sample: Sample, q: float) -> Quantile:
    """The q-quantile and its interval; below the minimum n without values, and why.

    value: the order statistic of `rank`.
    low, high: order statistics x₍l₎, x₍u₎ with P(x₍l₎ ≤ quantile ≤ x₍u₎) ≥ 0.95; the ranks follow from the
    count of samples below the quantile being Binomial(n, q), independent samples assumed (David and
    Nagaraja, Order Statistics, 2003, section 7.1). `high` is the maximum where no order statistic reaches
    its side. `sample` is partially sorted in place.
    """
    n = len(sample)
    missing = too_few(n, q)
    if missing is not None:
        return missing
    low, high = interval_ranks(n, q)
    place = rank(n, q)
    sample.partition(sorted({low, place, high}))
    return Quantile(float(sample[place]), float(sample[low]), float(sample[high]))


def too_few(n: int, q: float) -> Quantile | None:
    """The q-quantile of so few samples that there is none, which says why; None where n is enough."""
    needed = MINIMUM_N.get(q, math.ceil(math.log(1 - LEVEL) / math.log(max(q, 1 - q))))
    return Quantile(None, None, None, why=f"n too small: {n} of {needed}") if n < needed else None


def rank(n: int, q: float) -> int:
    """0-based place of the q-quantile among n ≥ 1 sorted values: the inverse of the empirical distribution,
    x₍⌈nq⌉₎, a value that was measured and not one between two."""
    return min(n - 1, max(0, math.ceil(n * q) - 1))


def of_sorted(values: Sequence[float], q: float) -> float | None:
    """The q-quantile of values in ascending order; None without values. No interval, no least sample size."""
    return values[rank(len(values), q)] if len(values) else None


@lru_cache(maxsize=4096)
def interval_ranks(n: int, q: float) -> tuple[int, int]:
    """0-based ranks (low, high) of a 95 % interval for the q-quantile of n samples; 2.5 %
    outside on each side.

    low = (largest l with P(Bin(n, q) < l) ≤ 0.025) - 1, at least 0; high = smallest u with P(Bin(n, q) ≤ u)
    ≥ 0.975, at most n - 1.
    """
    spread = 10 * math.sqrt(n * q * (1 - q)) + 20
    first, last = max(0, int(n * q - spread)), min(n, int(n * q + spread))
    k = np.arange(first, last + 1)
    # From one probability to the next by their ratio: no gamma function for each, and as exact.
    steps = np.log(n - k[:-1]) - np.log(k[1:]) + (math.log(q) - math.log1p(-q))
    log_pmf = _log_pmf(n, first, q) + np.concatenate(([0.0], np.cumsum(steps)))
    cdf = np.cumsum(np.exp(log_pmf))
    side = (1 - LEVEL) / 2
    below = int(np.searchsorted(cdf, side, side="right"))  # P(Bin ≤ first + below - 1) ≤ side
    above = int(np.searchsorted(cdf, 1 - side, side="left"))
    return max(0, first + below - 1), min(n - 1, first + above)


def _log_pmf(n: int, k: int, q: float) -> float:
    """log P(Bin(n, q) = k)."""
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return choose + k * math.log(q) + (n - k) * math.log1p(-q)
