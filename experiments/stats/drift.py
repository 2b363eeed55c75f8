"""Did the machine stay the same from block to block? Judged on one cell that is repeated in every block.

Each repeat has a value (goodput, median E2E latency) and bootstrap draws of its logarithm over spans of its
window. Repeats on the same arrivals are drawn with the same spans, so that the trace's own ups and downs
cancel in their difference; on different arrivals they are drawn independently. Under no drift two repeats
differ by that error and by what two runs of one cell differ by, so the largest of their standardized
differences follows the studentized range (Tukey 1949; Kramer 1956 for unequal errors, which makes it more
careful):

    max over i < j of √2 · |x_i − x_j| / s_ij  ≥  q(1 − α/m; k, 11k)

k blocks, m metrics tested on them (Bonferroni). Beyond that bound, and beyond 5 % of the value, it is drift.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import scipy

from experiments.stats.goodput import RUN_TO_RUN

ALPHA = 0.05
LEAST = 0.05
"""Relative differences up to this are not worth a warning, however sure they are."""
_DRAWS = 400
_SPANS = 12
_FREEDOM = _SPANS - 1
_FEWEST = 30

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The cell in one block: a value above zero, and draws (n,) of the logarithm of its relative error."""

    block: int
    value: float
    log_draws: Floats


@dataclass(frozen=True, slots=True)
class Drift:
    """A metric that did not stay the same: its lowest and its highest block, the relative difference of the
    two, and the blocks that lie away from the median of all.
    """

    metric: str
    low: Repeat
    high: Repeat
    relative: float
    blocks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RepeatWindow:
    """The measured requests of a repeat: due times (n,) in seconds from the window's start, its length, and
    the name of the trace; the same name means the same arrivals.
    """

    due_s: Floats
    duration_s: float
    trace: str


def drifts(metrics: Mapping[str, Sequence[Repeat]], alpha: float = ALPHA) -> list[Drift]:
    """The metrics that drifted; an empty list is all there is to say about a steady machine.

    With probability `alpha` at most, one is named although nothing changed.
    """
    testable = {name: repeats for name, repeats in metrics.items() if len(repeats) > 1}
    found = (_drift(name, repeats, alpha / len(testable)) for name, repeats in testable.items())
    return [drift for drift in found if drift is not None]


def goodput(block: int, window: RepeatWindow, good: npt.NDArray[np.bool_]) -> Repeat | None:
    """Goodput of a window, requests per second; None where nothing was good or there are too few requests."""
    if len(window.due_s) < _FEWEST or not good.any():
        return None
    counts = np.bincount(_span_of(window)[good], minlength=_SPANS).astype(float)
    drawn = np.maximum(counts[_picks(window.trace)].sum(axis=1), 0.5)
    return Repeat(block, float(counts.sum()) / window.duration_s, np.log(drawn / counts.sum()))


def median(block: int, window: RepeatWindow, values: Floats) -> Repeat | None:
    """Median of latencies (n,) > 0; None where there are too few."""
    if len(values) < _FEWEST:
        return None
    span = _span_of(window)
    value = float(np.median(values))
    weights = [np.bincount(row, minlength=_SPANS)[span] for row in _picks(window.trace)]
    return Repeat(block, value, np.log(_weighted_medians(values, np.array(weights)) / value))


def _weighted_medians(values: Floats, weights: npt.NDArray[np.int64]) -> Floats:
    """The median of `values` (n,) under each row of `weights` (draws, n)."""
    order = np.argsort(values)
    upto = np.cumsum(weights[:, order], axis=1)
    found: Floats = values[order][np.argmax(2 * upto >= upto[:, -1:], axis=1)]
    return found


def _drift(metric: str, repeats: Sequence[Repeat], alpha: float) -> Drift | None:
    logs = np.log([repeat.value for repeat in repeats])
    draws = np.array([repeat.log_draws for repeat in repeats])
    errors = (draws[:, None] - draws[None, :]).std(axis=2)
    gaps = np.abs(logs[:, None] - logs[None, :])
    studentized = math.sqrt(2) * gaps / np.hypot(errors, RUN_TO_RUN * math.sqrt(2))
    low, high = repeats[int(np.argmin(logs))], repeats[int(np.argmax(logs))]
    relative = high.value / low.value - 1
    if relative <= LEAST or float(studentized.max()) < _bound(alpha, len(repeats)):
        return None
    return Drift(metric, low, high, relative, _away(repeats, logs))


def _away(repeats: Sequence[Repeat], logs: Floats) -> tuple[int, ...]:
    """The blocks at least half as far from the median as the furthest: both ends of a slow drift, the one
    block of a bad hour.
    """
    distance = np.abs(logs - np.median(logs))
    return tuple(r.block for r, d in zip(repeats, distance, strict=True) if 2 * d >= distance.max())


@cache
def _bound(alpha: float, blocks: int) -> float:
    return float(scipy.stats.studentized_range.isf(alpha, blocks, _FREEDOM * blocks))


def _span_of(window: RepeatWindow) -> npt.NDArray[np.int64]:
    return np.clip((window.due_s / window.duration_s * _SPANS).astype(np.int64), 0, _SPANS - 1)


def _picks(trace: str) -> npt.NDArray[np.int64]:
    """Spans (draws, spans) drawn with replacement; the same for the same trace."""
    seed = int.from_bytes(hashlib.sha256(trace.encode()).digest()[:8])
    return np.random.default_rng(seed).integers(0, _SPANS, size=(_DRAWS, _SPANS))
