"""Goodput and the difference of two goodputs, with intervals that allow for requests not being independent.

From three traces on, t intervals over traces: they hold whatever changes between runs. The difference's is a
sequential one, so that traces may be added until it says something (`paired`, `sequential`).

Below three, a block bootstrap in time inside the traces (Künsch 1989; Carlstein 1986): the window is cut into
spans longer than a request lives, and whole spans are drawn; two cells on the same trace are drawn with the
same spans, so that the trace's own ups and downs cancel. What differs between two runs of the same cell
cannot be seen from one run, so an assumed run-to-run standard deviation of 1.5 % of the goodput is added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from experiments.stats import sequential

_DRAWS = 2000
_FEWEST_SPANS = 5
_CONFIDENCE = 0.95
RUN_TO_RUN = 0.015
"""Assumed standard deviation between two runs of one cell on one trace, part of the goodput."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval; None bounds where there is too little to draw from. Requests per
    second."""

    value: float
    low: float | None
    high: float | None

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above zero; False without an interval."""
        return self.low is not None and self.low > 0


@dataclass(frozen=True, slots=True)
class Trace:
    """One cell's arrivals in its measured window: due times (seconds, from the window's start) and whether
    each was good. classes: the load class of each, where they have objectives of their own."""

    due_s: npt.NDArray[np.float64]
    good: npt.NDArray[np.bool_]
    duration_s: float
    classes: npt.NDArray[np.str_] | None = None

    @property
    def goodput_per_s(self) -> float:
        """Good requests per second of the window."""
        return float(self.good.sum()) / self.duration_s

    def of(self, load_class: str) -> Trace:
        """The arrivals of one load class."""
        assert self.classes is not None, "the requests were judged by one objective"
        mine = self.classes == load_class
        return Trace(self.due_s[mine], self.good[mine], self.duration_s)


def of_cells(traces: list[Trace], span_s: float, seed: int = 0) -> Interval:
    """Mean goodput over one setting's traces (one a block), with its interval.

    From three traces on, a t interval over traces: it holds what changes between them. Below, the bootstrap
    inside them.
    """
    values = [trace.goodput_per_s for trace in traces]
    mean = float(np.mean(values))
    if len(traces) >= 3:
        half = _t_half_width(np.array(values))
        return Interval(mean, max(0.0, mean - half), mean + half)
    return _bootstrapped(
        mean, [_span_sums(trace, span_s) for trace in traces], [t.duration_s for t in traces], seed
    )


def difference(a: list[Trace], b: list[Trace], span_s: float, seed: int = 0) -> Interval:
    """Goodput of `a` less that of `b`; the traces are paired by position and must be the same arrivals."""
    values = np.array([x.goodput_per_s - y.goodput_per_s for x, y in zip(a, b, strict=True)])
    mean = float(values.mean())
    if len(values) >= sequential.LOOKS[0]:
        half = _sequential_half_width(values, 1 / a[0].duration_s)
        return Interval(mean, mean - half, mean + half)
    sums = [_span_sums(x, span_s) - _span_sums(y, span_s) for x, y in zip(a, b, strict=True)]
    within = _bootstrapped(mean, sums, [t.duration_s for t in a], seed)
    between = RUN_TO_RUN * math.sqrt(2 / len(values)) * max(_mean_goodput(a), _mean_goodput(b))
    return _widened(within, between)


def _mean_goodput(traces: list[Trace]) -> float:
    return float(np.mean([trace.goodput_per_s for trace in traces]))


def _widened(interval: Interval, sd: float) -> Interval:
    """The interval with an independent error of standard deviation `sd` added."""
    if interval.low is None or interval.high is None:
        return interval
    extra = float(scipy.stats.norm.ppf((1 + _CONFIDENCE) / 2)) * sd
    below = math.hypot(interval.value - interval.low, extra)
    above = math.hypot(interval.high - interval.value, extra)
    return Interval(interval.value, interval.value - below, interval.value + above)


def _sequential_half_width(values: npt.NDArray[np.float64], resolution: float) -> float:
    """Half width at the level of this look; the spread is never taken below half a request in the window."""
    n = len(values)
    sd = max(float(values.std(ddof=1)), resolution / 2)
    return _standard_errors(n) * sd / math.sqrt(n)


def half_widths(most: int) -> dict[int, float]:
    """Of the interval of a difference, in standard errors, for each number of traces from three to `most`."""
    return {n: _standard_errors(n) for n in range(sequential.LOOKS[0], most + 1)}


def _standard_errors(n: int) -> float:
    return float(scipy.stats.t.isf(sequential.level(n) / 2, n - 1))


def _t_half_width(values: npt.NDArray[np.float64]) -> float:
    n = len(values)
    return float(scipy.stats.t.ppf((1 + _CONFIDENCE) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n))


def _span_sums(trace: Trace, span_s: float) -> npt.NDArray[np.float64]:
    """Good requests in each of the equal spans, at least `span_s` long, that fill the window."""
    spans = max(1, int(trace.duration_s / max(span_s, 1e-9)))
    index = np.minimum((trace.due_s / trace.duration_s * spans).astype(int), spans - 1)
    return np.bincount(index[trace.good], minlength=spans).astype(float)


def _bootstrapped(
    mean: float, sums: list[npt.NDArray[np.float64]], durations_s: list[float], seed: int
) -> Interval:
    if min(len(s) for s in sums) < _FEWEST_SPANS:
        return Interval(mean, None, None)
    rng = np.random.default_rng(seed)
    draws = np.zeros(_DRAWS)
    for spans, duration_s in zip(sums, durations_s, strict=True):
        picks = rng.integers(0, len(spans), size=(_DRAWS, len(spans)))
        draws += spans[picks].sum(axis=1) / duration_s / len(sums)
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(mean, float(low), float(high))
