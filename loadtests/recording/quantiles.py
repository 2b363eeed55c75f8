"""Exact quantiles of a sample with distribution-free confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Sample = NDArray[np.floating[Any]]
MINIMUM_N = {0.5: 6, 0.95: 59, 0.99: 299}
"""Least sample size for a two-sided 95 % interval (p50: 2·0.5ⁿ ≤ 0.05; p95, p99: 1 - qⁿ ≥ 0.95 above it)."""
LEVEL = 0.95


def quantile(sample: Sample, q: float) -> dict[str, Any]:
    """The q-quantile and its interval: {"value", "low", "high"}, or None values and "why"
    below the minimum n.

    value: the order statistic of `rank`.
    low, high: order statistics x₍l₎, x₍u₎ with P(x₍l₎ ≤ quantile ≤ x₍u₎) ≥ 0.95; the ranks follow from the
    count of samples below the quantile being Binomial(n, q), independent samples assumed (David and
    Nagaraja, Order Statistics, 2003, section 7.1). `high` is the maximum where no order statistic reaches
    its side. `sample` is partially sorted in place.
    """
    n = len(sample)
    needed = MINIMUM_N.get(q, math.ceil(math.log(1 - LEVEL) / math.log(max(q, 1 - q))))
    if n < needed:
        return {"value": None, "low": None, "high": None, "why": f"n too small: {n} of {needed}"}
    low, high = interval_ranks(n, q)
    place = rank(n, q)
    sample.partition(sorted({low, place, high}))
    return {"value": float(sample[place]), "low": float(sample[low]), "high": float(sample[high])}


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
    log_pmf = _log_choose(n, k) + k * math.log(q) + (n - k) * math.log1p(-q)
    cdf = np.cumsum(np.exp(log_pmf))
    side = (1 - LEVEL) / 2
    below = int(np.searchsorted(cdf, side, side="right"))  # P(Bin ≤ first + below - 1) ≤ side
    above = int(np.searchsorted(cdf, 1 - side, side="left"))
    return max(0, first + below - 1), min(n - 1, first + above)


def _log_choose(n: int, k: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.array([math.lgamma(n + 1) - math.lgamma(x + 1) - math.lgamma(n - x + 1) for x in k.tolist()])
