"""Was the cell in steady state while it was measured?

Three questions, asked of a series of latencies (E2E; TTFT is one number for all who need not wait) in order
of arrival:

* Does the beginning differ? The mean of the first tenth against that of the second half, over their long-run
  standard errors, is standard normal where it does not (Geweke 1992, "Evaluating the accuracy of
  sampling-based approaches").
* Is there a change of level at all? The cumulative sum of deviations from the mean, scaled by the long-run
  standard deviation, is a Brownian bridge where there is none (Schruben 1982, "Detecting initialization bias
  in simulation output"); its greatest distance from 0 has Kolmogorov's distribution. The long-run variance is
  taken from the differences to either half's own mean, so that a change does not hide in the variance that it
  makes. Ranks stand for the values: a few giant latencies are no change of level.
* Where does a transient end? MSER-5 (White 1997; Franklin and White 2008): means of batches of five, cut at
  d* = argmin Var(Y_d..Y_n)/(n − d); a d* beyond the half says that no cut helps. On its own MSER-5 takes the
  excursions of a queue near its capacity for a transient, so it advises and does not decide.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import scipy

from experiments.stats.backlog import backlog_drift
from experiments.stats.effective_size import of_mean

Floats = npt.NDArray[np.float64]
_LEAST = 40
_BATCH = 5
_ALPHA = 0.01
# A window holds at least this many of the queue's own correlation times, or its tail is one excursion's.
_LEAST_MEMORIES = 10.0


class SteadyVerdict(StrEnum):
    """Whether the latency kept its level through the window."""

    STEADY = "steady"
    """no change of level"""
    NOT_STEADY = "not_steady"
    """the level changed"""
    CANNOT_BE = "cannot_be"
    """by design, or since the backlog grew to the end"""
    CANT_TELL = "cant_tell"
    """too little was seen"""


@dataclass(frozen=True, slots=True)
class SteadyState:
    """Whether the cell was steady."""

    verdict: SteadyVerdict
    why: str
    """the verdict in words"""
    cut_s: float | None = None
    """seconds from the start of the window that MSER-5 would drop; none where no cut helps"""
    p_value: float | None = None
    """of the change of level; none where it was not tested"""


def judge(
    values: Floats, due_s: Floats, backlog: Floats, *, stationary_load: bool, bounded: bool
) -> SteadyState:
    """The verdict on one cell's measured window.

    Args:
        values: latencies of the served requests (n,) in order of arrival, no nan.
        due_s: when they were due (n,), seconds from the start of the window.
        backlog: requests active and queued, one sample a second; may be empty.
        stationary_load: False for scenarios whose rate changes by design; nothing is steady there.
        bounded: whether the queue's limit or its timeout took hold in the window.
    """
    if not stationary_load:
        return SteadyState(
            SteadyVerdict.CANNOT_BE, "the offered rate itself changes through the window, by design"
        )
    drift = backlog_drift(backlog)
    if drift is not None and drift < _ALPHA and not bounded:
        return SteadyState(
            SteadyVerdict.CANNOT_BE,
            "the backlog grew to the end and nothing bounded it: latency grows as long as one measures",
        )
    if len(values) < _LEAST:
        return SteadyState(
            SteadyVerdict.CANT_TELL, f"{len(values)} served requests are too few to see a change of level"
        )
    p_value = min(1.0, 2.0 * min(change_of_level(values), beginning_differs(values)))
    cut_s = _cut_s(values, due_s)
    if p_value < _ALPHA:
        advice = (
            f"drop the first {cut_s:.1f} s (MSER-5)" if cut_s else "no cut mends it: measure longer, or again"
        )
        return SteadyState(
            SteadyVerdict.NOT_STEADY, f"the latency changed its level; {advice}", cut_s, p_value
        )
    memories = of_mean(backlog) if len(backlog) >= _LEAST else None
    if memories is not None and memories < _LEAST_MEMORIES:
        return SteadyState(
            SteadyVerdict.CANT_TELL,
            f"the window holds the queue's memory only {memories:.0f} times: measure longer",
            cut_s,
            p_value,
        )
    return SteadyState(SteadyVerdict.STEADY, "no change of level", cut_s, p_value)


def change_of_level(values: Floats) -> float:
    """p-value of "one level throughout" for a correlated series (n,), n ≥ 10."""
    batches = batch_means(scipy.stats.rankdata(values), _BATCH)
    n = len(batches)
    half = n // 2
    residuals = np.concatenate(
        [batches[:half] - batches[:half].mean(), batches[half:] - batches[half:].mean()]
    )
    long_run = float(residuals.var(ddof=2)) * n / of_mean(residuals)
    if long_run <= 0:
        return 1.0 if np.ptp(batches) == 0 else 0.0
    path = np.cumsum(batches - batches.mean())
    return float(scipy.stats.kstwobign.sf(np.abs(path).max() / np.sqrt(long_run * n)))


def beginning_differs(values: Floats) -> float:
    """p-value of "the first tenth has the level of the second half" for a correlated series (n,), n ≥ 40."""
    ranks = scipy.stats.rankdata(values)
    head, rest = ranks[: len(ranks) // 10], ranks[len(ranks) // 2 :]
    long_run = float(rest.var()) * len(rest) / of_mean(rest)
    if long_run <= 0:
        return 1.0 if np.ptp(ranks) == 0 else 0.0
    error = np.sqrt(long_run * (1 / len(head) + 1 / len(rest)))
    return float(2 * scipy.stats.norm.sf(abs(head.mean() - rest.mean()) / error))


def mser(values: Floats, batch: int = _BATCH) -> int | None:
    """How many leading values MSER-`batch` drops: a multiple of `batch`; None where the minimum lies beyond
    the half of the series."""
    means = batch_means(values, batch)
    n = len(means)
    if n < 4:
        return 0
    tail = np.arange(n, 0, -1)
    total = np.cumsum(means[::-1])[::-1]
    squares = np.cumsum((means**2)[::-1])[::-1]
    error = (squares - total**2 / tail) / tail.astype(float) ** 2
    cut = int(np.argmin(error[: n - 3]))
    return None if cut > n / 2 else cut * batch


def batch_means(values: Floats, batch: int) -> Floats:
    """Means of consecutive batches; a rest that fills none is left out."""
    whole = len(values) // batch * batch
    return np.asarray(values[:whole].reshape(-1, batch).mean(axis=1), dtype=float)


def _cut_s(values: Floats, due_s: Floats) -> float | None:
    cut = mser(values)
    if cut is None:
        return None
    return float(due_s[cut]) if cut else 0.0
