"""Goodput and the difference of two goodputs, with intervals that allow for requests not being independent.

Both come from a moving-block bootstrap in time (Künsch 1989; Liu and Singh 1992): the window is cut into
spans longer than a request lives, and whole spans are drawn. Two cells on the same arrival trace are drawn
with the same spans, so that the trace's own ups and downs cancel.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

_DRAWS = 2000
_FEWEST_SPANS = 5
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval; None bounds where there is too little to draw from. Requests per
    second."""

    value: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        """As stored in recommendation.json."""
        return asdict(self)

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above zero; False without an interval."""
        return self.low is not None and self.low > 0


@dataclass(frozen=True, slots=True)
class Trace:
    """One cell's arrivals in its measured window: due times (seconds, from the window's start) and whether
    each was good."""

    due_s: npt.NDArray[np.float64]
    good: npt.NDArray[np.bool_]
    duration_s: float

    @property
    def goodput_per_s(self) -> float:
        """Good requests per second of the window."""
        return float(self.good.sum()) / self.duration_s


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
    if len(values) >= 3:
        half = _t_half_width(values)
        return Interval(mean, mean - half, mean + half)
    sums = [_span_sums(x, span_s) - _span_sums(y, span_s) for x, y in zip(a, b, strict=True)]
    return _bootstrapped(mean, sums, [t.duration_s for t in a], seed)


def _t_half_width(values: npt.NDArray[np.float64]) -> float:
    n = len(values)
    return float(stats.t.ppf((1 + _CONFIDENCE) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n))


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
