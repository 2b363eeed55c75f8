"""Was the system saturated in this cell, and what bound it?

With a bounded queue the classical sign, a growing backlog, disappears: rejections and timeouts keep it flat.
What stays is the account of work. With A the mean of the slots in use, M the slots and s the share of the
offered requests that was not served (shed, or still in a queue that grew),

    load ratio = A / (M·(1 − s))

is the offered work over the work that the slots could do: A/M is the carried part of the capacity, 1 − s the
carried part of the offer. It is below 1 for a system that is only hit by bursts and sheds some, and above 1
for one that cannot keep up, however the queue is bounded. When an engine slows down with more requests at
once, its slots fill the faster, and the ratio crosses 1 at the same load.

Without a queue (reject mode, QUEUE_MAX=0) the system is a loss system: it turns requests away long before it
is at its capacity, and that is Erlang's loss, no overload. Its slots are seldom all busy, and an engine that
batches is the faster for it, so A/M would flatter. There

    load ratio = offered rate / rate with every slot busy,

the latter from the curve of service rates over busy slots (`rate_by_concurrency`). Saturated still means that
more is offered than the full slots can do; the loss that this load implies for Poisson arrivals stands beside
the one that was seen.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from experiments.stats.all_slots_busy import SaturatedRate
from experiments.stats.backlog import BATCHES, backlog_drift
from experiments.stats.effective_size import of_mean
from experiments.stats.rate_by_concurrency import RateByConcurrency
from loadtests.recording.share import wilson

Floats = npt.NDArray[np.float64]

# One in a hundred: a share of shed requests above it, with confidence, is worth saying.
_SHED_SHARE = 0.01
_Z = 1.959964
# Above this load ratio a system is called saturated, when the interval agrees: slots that are busy for 97 %
# of the time leave no room for the next burst.
_SATURATED = 0.97
_REQUESTS_TO_JUDGE_BY = 50


class SaturationVerdict(StrEnum):
    """Whether a cell was at its capacity."""

    STABLE = "stable"
    """the queue comes back"""
    SATURATED = "saturated"
    """more was offered than can be served"""
    CANT_TELL = "cant_tell"
    """too little was seen"""


class Resource(StrEnum):
    """What was full, the innermost first."""

    CLIENT = "client"
    """the load generator"""
    KV_CACHE = "kv_cache"
    """the engine's KV cache"""
    ENGINE_BATCH = "engine_batch"
    """the engine's batch"""
    COMPUTE = "compute"
    """the engine's speed"""
    SLOTS = "slots"
    """the gateway's slots"""
    QUEUE = "queue"
    """the gateway's queue"""


@dataclass(frozen=True, slots=True)
class Saturation:
    """Whether the cell was at its capacity, and what bound. A stable cell can shed: then its bursts met a
    bound that the mean does not.

    Ratios are 0–1 over the measured window, means are of requests; None where the series is missing.
    """

    verdict: SaturationVerdict
    binding: Resource | None
    """what bound; none where nothing did"""
    why: str
    """the verdict in words"""
    slots_busy_ratio: float | None
    """mean of active over MAX_ACTIVE"""
    queue_mean: float | None
    """requests waiting at the gateway"""
    queue_full_ratio: float | None
    """share of the window with a full queue"""
    engine_running_mean: float | None
    """requests that the engine runs"""
    engine_waiting_mean: float | None
    """requests in the engine's own queue"""
    kv_use_max: float | None
    """greatest use of the KV cache"""
    rejected_ratio: float | None
    """share of the offered requests that were refused or timed out in the queue"""
    load_ratio: float | None = None
    """offered work over capacity, 1 at capacity"""
    load_ratio_low: float | None = None
    """of its 95 % interval"""
    load_ratio_high: float | None = None
    erlang_loss_ratio: float | None = None
    """the share that Poisson arrivals lose without a queue (Erlang B); none where there is one"""


@dataclass(frozen=True, slots=True)
class Window:
    """What the verdict is made from: counts over the measured arrivals, and series of equal steps over
    the measured window, `window_s` long (None: the steps are seconds).

    `active` and `queued` are requests at the gateway; empty arrays where a series is missing.
    `served_per_s` and `capacity_per_s` (of the engine, as probed) tell slots from compute;
    `all_slots_busy` is what happened while every slot was busy, `curve` the rates with fewer. None: unknown.
    """

    offered: int
    shed: int
    active: Floats
    limit: Floats
    queued: Floats
    queue_limit: int
    engine_running: Floats
    engine_waiting: Floats
    kv_use: Floats
    engine_max_running: int | None
    client_saturated: bool
    served_per_s: float | None = None
    capacity_per_s: float | None = None
    all_slots_busy: SaturatedRate | None = None
    curve: RateByConcurrency | None = None
    window_s: float | None = None


@dataclass(frozen=True, slots=True)
class LoadRatio:
    """Offered work over capacity with its 95 % interval."""

    value: float
    low: float
    high: float


def judge(window: Window) -> Saturation:
    """The verdict with its reasons."""
    busy = _mean_ratio(window.active, window.limit)
    full = (
        float(np.mean(window.queued >= window.queue_limit))
        if window.queued.size and window.queue_limit > 0
        else None
    )
    ratio = load_ratio(window)
    verdict, why = _verdict(window, ratio)
    return Saturation(
        verdict=verdict,
        binding=_binding(window, verdict, busy),
        why=why,
        slots_busy_ratio=busy,
        queue_mean=_mean(window.queued),
        queue_full_ratio=full,
        engine_running_mean=_mean(window.engine_running),
        engine_waiting_mean=_mean(window.engine_waiting),
        kv_use_max=float(window.kv_use.max()) if window.kv_use.size else None,
        rejected_ratio=window.shed / window.offered if window.offered else None,
        load_ratio=ratio.value if ratio else None,
        load_ratio_low=ratio.low if ratio else None,
        load_ratio_high=ratio.high if ratio else None,
        erlang_loss_ratio=_erlang_loss(window),
    )


def load_ratio(window: Window) -> LoadRatio | None:
    """Offered work over capacity; None without the series, or with fewer than sixteen samples.

    Its error: that of the mean of the busy slots (effective size of the series) and that of the share not
    served (binomial, taken as correlated as the busy slots are), joined as independent. They are in truth
    positively related and partly cancel, so the interval is rather too wide.

    Without a queue it is the offered rate (Poisson error) over that of the full slots (the curve's error).
    """
    slots = _slots(window)
    if window.queue_limit == 0 and window.curve is not None and slots and window.offered:
        value = _offered_per_s(window) / window.curve.rate_per_s(slots)
        error = value * math.hypot(window.curve.relative_error(slots), 1 / math.sqrt(window.offered))
        return LoadRatio(value, value - _Z * error, value + _Z * error)
    busy = _mean_ratio(window.active, window.limit)
    if busy is None or window.active.size < 2 * BATCHES or window.offered == 0:
        return None
    lost = min(0.999, (window.shed + _queue_growth(window)) / window.offered)
    value = busy / (1 - lost)
    samples = of_mean(window.active)
    busy_error = float(np.std(window.active / window.limit)) / math.sqrt(samples)
    lost_error = math.sqrt(lost * (1 - lost) / window.offered) * math.sqrt(window.active.size / samples)
    error = value * math.hypot(busy_error / max(busy, 1e-9), lost_error / (1 - lost))
    return LoadRatio(value, max(busy, value - _Z * error), value + _Z * error)


def _slots(window: Window) -> int:
    """MAX_ACTIVE, the same through a window; 0 where it is not known."""
    return int(window.limit[-1]) if window.limit.size else 0


def _offered_per_s(window: Window) -> float:
    seconds = float(window.active.size) if window.window_s is None else window.window_s
    return window.offered / seconds if seconds else 0.0


def _erlang_loss(window: Window) -> float | None:
    slots = _slots(window)
    if window.queue_limit > 0 or window.curve is None or not slots or not window.offered:
        return None
    return window.curve.loss_ratio(_offered_per_s(window), slots)


def _at_full_house(window: Window) -> float:
    """Offered rate over the rate at which the full house served; 0 where it was seldom full."""
    if window.all_slots_busy is None:
        return 0.0
    return window.all_slots_busy.load_ratio(_offered_per_s(window)) or 0.0


def _queue_growth(window: Window) -> float:
    """Requests by which the queue grew through the window: slope times length, 0 unless it is significant."""
    if window.queued.size != window.active.size:
        return 0.0
    drift = backlog_drift(window.queued)
    if drift is None or drift >= 0.01:
        return 0.0
    slope = float(np.polyfit(np.arange(window.queued.size), window.queued, 1)[0])
    return max(0.0, slope * window.queued.size)


def _verdict(window: Window, ratio: LoadRatio | None) -> tuple[SaturationVerdict, str]:
    if window.offered == 0:
        return SaturationVerdict.CANT_TELL, "nothing was offered in the measured window"
    share = window.shed / window.offered
    shed_low = wilson(window.shed, window.offered)[0]
    sheds = f"{share:.1%} of the offered requests were shed"
    if ratio is None:
        if shed_low > _SHED_SHARE:
            return (
                SaturationVerdict.SATURATED,
                f"{sheds} (95 % interval from {shed_low:.1%}); there is no series of the slots",
            )
        return SaturationVerdict.CANT_TELL, "the series of the gateway's slots is missing or too short"
    said = f"offered work: {ratio.value:.0%} of what the slots can do ({ratio.low:.0%} to {ratio.high:.0%})"
    if window.queue_limit == 0 and window.curve is not None:
        return _verdict_of_loss(window, ratio, said, shed_low)
    drift = backlog_drift(window.active + window.queued) if window.active.size == window.queued.size else None
    growing = drift is not None and drift < 0.01
    if ratio.low > _SATURATED:
        return SaturationVerdict.SATURATED, f"{said}; {'the backlog grew' if growing else sheds}"
    if ratio.value > _SATURATED and shed_low > _SHED_SHARE:
        return SaturationVerdict.SATURATED, f"{said}; {sheds}"
    if growing and ratio.value > _SATURATED:
        return SaturationVerdict.SATURATED, f"{said}; the backlog grew through the window (one-sided p < 1 %)"
    beyond = shed_low > _SHED_SHARE and _at_full_house(window) > 1.0
    if window.offered < _REQUESTS_TO_JUDGE_BY:
        return SaturationVerdict.CANT_TELL, f"{said}, but {window.offered} requests are too few to tell"
    if ratio.value < _SATURATED and ratio.high < 1.0 and not growing and not beyond:
        burst = f"; bursts met a full house: {sheds}" if shed_low > _SHED_SHARE else ""
        return SaturationVerdict.STABLE, said + burst
    return SaturationVerdict.CANT_TELL, f"{said}: too close to its capacity for a window this short"


def _verdict_of_loss(
    window: Window, ratio: LoadRatio, said: str, shed_low: float
) -> tuple[SaturationVerdict, str]:
    """Without a queue nothing can grow, and rejections by themselves prove nothing."""
    share, expected = window.shed / window.offered, _erlang_loss(window) or 0.0
    lost = (
        f"{share:.1%} of the offered requests were rejected, {expected:.1%} is what this load loses to full"
    )
    lost += " slots without a queue (Erlang B)"
    if ratio.low > _SATURATED or (ratio.value > _SATURATED and shed_low > _SHED_SHARE):
        return SaturationVerdict.SATURATED, f"{said}; {lost}"
    if window.offered < _REQUESTS_TO_JUDGE_BY:
        return SaturationVerdict.CANT_TELL, f"{said}, but {window.offered} requests are too few to tell"
    if ratio.value < _SATURATED and ratio.high < 1.0:
        return (
            SaturationVerdict.STABLE,
            f"{said}; {lost}{'; arrivals came in bursts' if shed_low > expected else ''}",
        )
    return SaturationVerdict.CANT_TELL, f"{said}: too close to its capacity for a window this short"


def _binding(window: Window, verdict: SaturationVerdict, busy: float | None) -> Resource | None:
    """The resource that was full, the innermost first: more of an outer one would not help."""
    sheds = window.offered > 0 and wilson(window.shed, window.offered)[0] > _SHED_SHARE
    room = Resource.QUEUE if window.queue_limit > 0 else Resource.SLOTS
    if verdict is SaturationVerdict.STABLE:
        return room if sheds else None
    if verdict is SaturationVerdict.CANT_TELL and not sheds:
        return None
    if window.client_saturated:
        return Resource.CLIENT
    if window.kv_use.size and float(np.quantile(window.kv_use, 0.9)) > 0.95:
        return Resource.KV_CACHE
    running, waiting = _mean(window.engine_running), _mean(window.engine_waiting)
    if window.engine_max_running and running is not None and running >= 0.9 * window.engine_max_running:
        return Resource.ENGINE_BATCH
    if waiting is not None and waiting > 1.0:
        return Resource.ENGINE_BATCH
    if window.capacity_per_s and window.served_per_s and window.served_per_s >= 0.9 * window.capacity_per_s:
        return Resource.COMPUTE
    return Resource.SLOTS if busy is None or busy >= 0.8 else room


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if values.size else None


def _mean_ratio(values: Floats, limits: Floats) -> float | None:
    if not values.size or values.size != limits.size or not np.all(limits > 0):
        return None
    return float(np.mean(values / limits))
