"""Was the system saturated in this cell, and what bound it?

With a bounded queue the backlog stops growing, so the classical sign (drift) is joined by the ones a bounded
system gives: rejections, queue timeouts and the share of time the queue was full.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

# One in a hundred: a share of shed requests above it, with confidence, is saturation.
_SHED_SHARE = 0.01
_BATCHES = 8


@dataclass(frozen=True, slots=True)
class Verdict:
    """`verdict` is stable, saturated or cant_tell; `binding` names the resource that bound, None where none
    did.

    Ratios are 0–1 over the measured window, means are of requests; None where the series is missing.
    """

    verdict: str
    binding: str | None
    why: str
    slots_busy_ratio: float | None
    queue_mean: float | None
    queue_full_ratio: float | None
    engine_running_mean: float | None
    engine_waiting_mean: float | None
    kv_use_max: float | None
    rejected_ratio: float | None

    def to_json(self) -> dict[str, Any]:
        """As stored in summary.json."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Window:
    """What the verdict is made from: counts over the measured arrivals, and 1 s series over the measured
    window.

    `backlog` is requests active and queued at the gateway; empty arrays where a series is missing.
    """

    offered: int
    shed: int
    active: npt.NDArray[np.float64]
    limit: npt.NDArray[np.float64]
    queued: npt.NDArray[np.float64]
    queue_limit: int
    engine_running: npt.NDArray[np.float64]
    engine_waiting: npt.NDArray[np.float64]
    kv_use: npt.NDArray[np.float64]
    engine_max_running: int | None
    client_saturated: bool


def judge(window: Window) -> Verdict:
    """The verdict with its reasons."""
    busy = _mean_ratio(window.active, window.limit)
    full = (
        float(np.mean(window.queued >= window.queue_limit))
        if window.queued.size and window.queue_limit > 0
        else None
    )
    shed_share = window.shed / window.offered if window.offered else None
    verdict, why = _verdict(window)
    return Verdict(
        verdict=verdict,
        binding=_binding(window, busy) if verdict == "saturated" else None,
        why=why,
        slots_busy_ratio=busy,
        queue_mean=_mean(window.queued),
        queue_full_ratio=full,
        engine_running_mean=_mean(window.engine_running),
        engine_waiting_mean=_mean(window.engine_waiting),
        kv_use_max=float(window.kv_use.max()) if window.kv_use.size else None,
        rejected_ratio=shed_share,
    )


def _verdict(window: Window) -> tuple[str, str]:
    if window.offered == 0:
        return "cant_tell", "nothing was offered in the measured window"
    low, high = _share_interval(window.shed, window.offered)
    share = window.shed / window.offered
    if low > _SHED_SHARE:
        return "saturated", f"{share:.1%} of the offered requests were shed (95 % interval from {low:.1%})"
    drift = backlog_drift(window.active + window.queued) if window.active.size == window.queued.size else None
    if drift is not None and drift < 0.01:
        return "saturated", "the backlog grew through the window (one-sided p < 1 %)"
    if high < 5 * _SHED_SHARE and drift is not None:
        return "stable", f"{share:.1%} shed, and the backlog did not grow"
    return (
        "cant_tell",
        f"{share:.1%} of {window.offered} shed is too few requests to tell from {_SHED_SHARE:.0%}",
    )


def backlog_drift(backlog: npt.NDArray[np.float64]) -> float | None:
    """One-sided p-value that the backlog grew: a t test on the slope over eight batch means; None below
    sixteen samples.

    Batch means take out the autocorrelation of a queue's length, which would make single samples look like
    evidence.
    """
    if backlog.size < 2 * _BATCHES:
        return None
    means = np.array([batch.mean() for batch in np.array_split(backlog, _BATCHES)])
    if np.ptp(means) == 0:
        return 1.0
    fit = stats.linregress(np.arange(_BATCHES), means, alternative="greater")
    return float(fit.pvalue)


def _share_interval(count: int, n: int) -> tuple[float, float]:
    """95 % Wilson interval of a share (Wilson 1927)."""
    z = 1.959964
    p = count / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return float(centre - half), float(centre + half)


def _binding(window: Window, busy: float | None) -> str:
    """The resource that was full, the outermost first."""
    if window.client_saturated:
        return "client"
    if window.kv_use.size and float(np.quantile(window.kv_use, 0.9)) > 0.95:
        return "kv_cache"
    running = _mean(window.engine_running)
    if window.engine_max_running and running is not None and running >= 0.9 * window.engine_max_running:
        return "engine_batch"
    if _mean(window.engine_waiting) is not None and (_mean(window.engine_waiting) or 0.0) > 1.0:
        return "engine"
    if busy is not None and busy >= 0.8:
        return "slots"
    return "burst"


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    return float(values.mean()) if values.size else None


def _mean_ratio(values: npt.NDArray[np.float64], limits: npt.NDArray[np.float64]) -> float | None:
    if not values.size or values.size != limits.size or not np.all(limits > 0):
        return None
    return float(np.mean(values / limits))
