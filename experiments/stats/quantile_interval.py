"""Quantiles of latencies with intervals that allow for requests not being independent."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.stats.effective_size import of_exceedances
from loadtests.recording.quantiles import MINIMUM_N, interval_ranks

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QuantileInterval:
    """A quantile, its 95 % interval, and what the sample is worth. In the unit of the values.

    `value` is None below the least n (p50: 6, p95: 59, p99: 299); `low` and `high` also where `n_eff`, the
    independent samples it is worth, is below it. `why` says so.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_eff: float
    why: str | None = None


def quantile_interval(values: Floats, due_s: Floats, q: float) -> QuantileInterval:
    """The q-quantile of `values` (n,) of requests due at `due_s` (n,) seconds, any order, no nan.

    value: x₍⌈nq⌉₎, as measured. low, high: the order statistics at the shares l/m and u/m of the sample,
    where l, u are the ranks of a distribution-free 95 % interval for m = ⌊n_eff⌋ independent samples (David
    and Nagaraja 2003, section 7.1; m in place of n: method note §1.2). For n_eff = n it is the classical
    interval.
    """
    n, needed = len(values), MINIMUM_N[q]
    if n < needed:
        return QuantileInterval(None, None, None, n, float(n), f"n too small: {n} of {needed}")
    order = np.argsort(due_s, kind="stable")
    n_eff = of_exceedances(values[order], due_s[order], q).n_eff
    ranked = np.sort(values)
    value = float(ranked[min(n - 1, max(0, math.ceil(n * q) - 1))])
    m = math.floor(n_eff)
    if m < needed:
        why = f"{n} correlated requests are worth {m} independent ones, an interval needs {needed}"
        return QuantileInterval(value, None, None, n, n_eff, why)
    low, high = interval_ranks(m, q)
    first = max(0, math.floor((low + 1) / m * n) - 1)
    last = min(n - 1, math.ceil((high + 1) / m * n) - 1)
    return QuantileInterval(value, float(ranked[first]), float(ranked[last]), n, n_eff)
