"""Causes that lie in the engine, its GPU, the gateway's process or its limits."""

from __future__ import annotations

from math import log

import numpy as np

from reports.explain.case import Case, fallen, grown, part, sure
from reports.explain.cause import Cause, Finding
from reports.explain.signal import Signal, Unit
from reports.explain.traffic_rules import engine_slower
from reports.explain.written import amount

_ALWAYS = 2.0
"""Weight of what stops everything: more than any traffic that can still be served."""
_UNKNOWN_CHANGE = 0.5


def preempted(case: Case) -> Finding | None:
    """The engine put requests back: each time all that it had computed of one is computed again."""
    preemptions = case.change(Signal.PREEMPTIONS)
    if not preemptions.known or preemptions.more <= 0:
        return None
    per_request = preemptions.more / max(case.rate.value, 1e-9)
    full = part(case.change(Signal.KV_USE).value, 0.8, 0.95) if case.observed.has(Signal.KV_USE) else 0.7
    slower = max(grown(case.change(Signal.TPOT_P95)), case.slowdown.more, case.prefill_slowdown.more, 0.1)
    weight = slower + log(1 + per_request)
    slowed = max((Signal.TPOT_P95, Signal.PREFILL), key=lambda one: grown(case.change(one)))
    evidence = [
        case.says(one) for one in (Signal.PREEMPTIONS, Signal.KV_USE, slowed) if case.observed.has(one)
    ]
    certainty = sure(preemptions.z) * part(per_request, 0.005, 0.03) * (0.5 + 0.5 * full)
    return Finding(Cause.PREEMPTION, weight, certainty, tuple(evidence))


def throttled(case: Case) -> Finding | None:
    """Clocks below the usual ones; surer where the card names heat or a brake."""
    clock = case.change(Signal.GPU_CLOCK)
    if not clock.known:
        return None
    reasons = [one for one in (Signal.GPU_HEAT, Signal.GPU_BRAKE) if case.change(one).more > 0.2]
    evidence = [case.says(one) for one in (Signal.GPU_CLOCK, *reasons)]
    certainty = sure(-clock.z) * part(fallen(clock), 0.03, 0.1) * (1.0 if reasons else 0.85)
    return Finding(Cause.THROTTLED, max(fallen(clock), _slower(case)), certainty, tuple(evidence))


def _slower(case: Case) -> float:
    """How much slower the engine was than its load explains, as a logarithm."""
    return max(0.0, case.slowdown.more)


def gpu_shared(case: Case) -> Finding | None:
    """More memory of the card in use than the engine ever takes, or a card busier than what the engine did
    explains."""
    memory, use = case.change(Signal.GPU_MEMORY), case.change(Signal.GPU_USE)
    fuller = sure(memory.z) * part(memory.ratio, 1.004, 1.015)
    if not fuller and not (use.known and use.more > 0.1):
        return None
    busier = (
        sure(use.z) * part(use.more, 0.05, 0.2) * (1 - part(grown(case.change(Signal.RUNNING)), 0.1, 0.4))
    )
    evidence = [case.says(one) for one in (Signal.GPU_MEMORY, Signal.GPU_USE) if case.observed.has(one)]
    evidence.append(_slower_by(case))
    certainty = max(fuller, 0.5 * busier) * part(_slower(case), 0.03, 0.12)
    return Finding(Cause.GPU_SHARED, _slower(case) + 0.1, certainty, tuple(evidence))


def restarted(case: Case) -> Finding | None:
    """The engine's counters began anew, its page was away, or everything failed behind the gateway for a
    while."""
    last = int(np.flatnonzero(case.harm.bad)[-1]) + 1
    resets, up = case.observed.of(Signal.ENGINE_RESETS)[0], case.observed.of(Signal.ENGINE_UP)
    usual_up = float(np.nanmedian(up[1:])) if np.isfinite(up[1:]).any() else float("nan")
    evidence, certainty = [], 0.0
    if np.nansum(resets[:last]) > 0:
        evidence.append("the engine's counters began anew")
        certainty = 1.0
    if usual_up > 0 and np.nanmin(up[0][:last], initial=np.inf) < 0.6 * usual_up:
        away = float(np.nansum(np.clip(1 - up[0][:last] / usual_up, 0, 1))) * case.observed.stretches.bin_s
        evidence.append(f"its metrics page was away for about {amount(away, Unit.SECONDS)}")
        certainty = max(certainty, 0.9)
    failed = case.observed.of(Signal.FAILED)[0][:last]
    if np.nanmax(failed, initial=0.0) > 0.5:
        evidence.append(f"in the worst minute {np.nanmax(failed):.0%} failed behind the gateway")
        certainty = max(certainty, 0.6)
    if not evidence:
        return None
    hurt = 1.0 if np.nanmax(failed, initial=0.0) > 0.1 or case.worse(Signal.FAILED) else 0.5
    return Finding(Cause.RESTART, _ALWAYS * hurt, certainty, tuple(evidence))


def limits_changed(case: Case) -> Finding | None:
    """Requests ran under another version of the limits than usual."""
    versions = case.observed.of(Signal.LIMITS_VERSION)
    usual, mine = versions[1:][np.isfinite(versions[1:])], versions[0][case.harm.bad]
    mine = mine[np.isfinite(mine)]
    if not len(usual) or not len(mine):
        return None
    before, now = float(np.median(usual)), float(np.median(mine))
    slots, places = case.change(Signal.ACTIVE_LIMIT), case.change(Signal.QUEUE_LIMIT)
    if before == now and not (slots.known and slots.value != slots.usual):
        return None
    evidence = [f"limits of version {now:g}, usually {before:g}"]
    weight = 0.0 if slots.known or places.known else _UNKNOWN_CHANGE
    for signal, one in ((Signal.ACTIVE_LIMIT, slots), (Signal.QUEUE_LIMIT, places)):
        if one.known and one.value != one.usual:
            evidence.append(case.says(signal))
            weight += max(fallen(one), grown(one)) * (1.0 if signal is Signal.ACTIVE_LIMIT else 0.5)
    share = float(np.mean(mine != before))
    # Other limits than these two cannot be seen in the metrics.
    return Finding(Cause.LIMITS, max(weight, 0.1), 0.95 * part(share, 0.2, 0.6), tuple(evidence))


def gateway_starved(case: Case) -> Finding | None:
    """The gateway's event loop woke late: everything that passes it is late, whatever the engine did."""
    lag = case.change(Signal.LOOP_LAG)
    if not lag.known:
        return None
    evidence = [case.says(Signal.LOOP_LAG)]
    if case.observed.has(Signal.OVERHEAD):
        evidence.append(case.says(Signal.OVERHEAD))
    if case.observed.has(Signal.ENGINE_GAP):
        evidence.append(case.says(Signal.ENGINE_GAP))
    certainty = sure(lag.z) * part(lag.ratio, 2.0, 5.0) * part(lag.value, 0.01, 0.04)
    weight = max(_slower(case), case.prefill_slowdown.more, grown(case.change(Signal.TPOT)), 0.1)
    certainty *= 1 - engine_slower(case, 0.4 * weight, 0.9 * weight)
    return Finding(Cause.GATEWAY_STARVED, weight, certainty, tuple(evidence))


def slow_engine(case: Case, explained: float) -> Finding | None:
    """What is left of the slowdown when every cause that can be seen has had its part; explained: what those
    have, as a logarithm."""
    rest = _slower(case) - explained
    if rest <= 0:
        return None
    evidence = [_slower_by(case)]
    if case.observed.has(Signal.ENGINE_GAP):
        evidence.append(case.says(Signal.ENGINE_GAP))
    if case.observed.has(Signal.GPU_CLOCK):
        evidence.append(case.says(Signal.GPU_CLOCK))
    return Finding(Cause.SLOW_ENGINE, rest, sure(case.slowdown.z) * part(rest, 0.05, 0.15), tuple(evidence))


def _slower_by(case: Case) -> str:
    return f"TPOT is × {np.exp(_slower(case)):.2f} of what as many requests usually have"
