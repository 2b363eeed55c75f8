"""Which resource was used up while it was bad."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.explain.case import Case
from reports.explain.signal import Signal
from reports.explain.written import amount

_FULL = 0.95


@dataclass(frozen=True, slots=True)
class Bound:
    """A resource at its bound. name: for programs; words: how it shows."""

    name: str
    words: str


def bounds(case: Case) -> list[Bound]:
    """What was full, in the order in which a request meets it; empty where nothing known was."""
    found = (look(case) for look in (_gateway, _queue, _slots, _engine, _cache, _gpu))
    return [one for one in found if one is not None]


def _gateway(case: Case) -> Bound | None:
    lag = case.change(Signal.LOOP_LAG)
    if not lag.value > 0.05:
        return None
    return Bound(
        "gateway_cpu", f"the gateway's event loop was late by {amount(lag.value, Signal.LOOP_LAG.unit)}"
    )


def _queue(case: Case) -> Bound | None:
    full = case.change(Signal.QUEUE_FULL)
    if not full.value > 0.1:
        return None
    return Bound("queue", f"the queue was full for {full.value:.0%} of the time")


def _slots(case: Case) -> Bound | None:
    running, limit = case.change(Signal.RUNNING), case.change(Signal.ACTIVE_LIMIT)
    waited = case.change(Signal.QUEUE)
    if limit.known and running.value > _FULL * 0.9 * limit.value:
        return Bound("slots", f"{running.value:.1f} of {limit.value:g} slots were busy, on average")
    if not np.isfinite(limit.value) and waited.more > 0.1:
        return Bound("slots", "every slot was busy: requests waited for one")
    return None


def _engine(case: Case) -> Bound | None:
    waiting = case.change(Signal.ENGINE_WAITING)
    if not waiting.value >= 1:
        return None
    return Bound("engine_batch", f"{waiting.value:.1f} requests waited inside the engine")


def _cache(case: Case) -> Bound | None:
    use = case.change(Signal.KV_USE)
    return Bound("kv_cache", f"the KV cache was {use.value:.0%} full") if use.value > 0.9 else None


def _gpu(case: Case) -> Bound | None:
    use = case.change(Signal.GPU_USE)
    return Bound("gpu", f"the GPU was busy for {use.value:.0%} of the time") if use.value > _FULL else None
