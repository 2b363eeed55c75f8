"""What Prometheus would have had of it: a level of each signal every fifteen seconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reports.explain.signal import Signal
from reports.explain.stretches import Stretches
from tests.reports.explaining.incidents import Scene

Floats = NDArray[np.float64]

EVERY_S = 15.0


def of(scene: Scene, end_s: float, rng: np.random.Generator) -> dict[Signal, Floats]:
    """Signal → levels at EVERY_S, from 0 to `end_s`; with the noise that such meters have."""
    at_s = np.arange(0.0, end_s, EVERY_S)
    count = len(at_s)
    during = (at_s >= scene.begin_s) & (at_s < scene.end_s)
    limits, levels = scene.world.limits, scene.levels
    running = _running(scene, at_s)
    gap_s, ttft_s = _engine_times(scene, at_s)
    kv = running * 500 / (scene.world.limits.max_active * 1400)
    found = {
        Signal.ACTIVE_LIMIT: np.full(count, float(limits.max_active)),
        Signal.QUEUE_LIMIT: np.full(count, float(limits.queue_max)),
        Signal.LOOP_LAG: rng.gamma(4, 0.0006, count),
        Signal.OVERHEAD: rng.gamma(20, 0.00002, count),
        Signal.ENGINE_WAITING: np.zeros(count),
        Signal.KV_USE: np.clip(kv * rng.normal(1, 0.05, count), 0.02, 0.9),
        Signal.PREEMPTIONS: np.where(rng.random(count) < 0.002, 0.07, 0.0),
        Signal.CACHE_HITS: np.clip(scene.world.hits + rng.normal(0, 0.02, count), 0, 1),
        Signal.ENGINE_GAP: gap_s * rng.normal(1, 0.01, count),
        Signal.ENGINE_TTFT: ttft_s * rng.normal(1, 0.02, count),
        Signal.ENGINE_RESETS: np.zeros(count),
        Signal.ENGINE_UP: np.ones(count),
        Signal.GPU_USE: np.clip(0.55 + 0.4 * running / limits.max_active + rng.normal(0, 0.02, count), 0, 1),
        Signal.GPU_CLOCK: 1.98e9 * (1 - np.abs(rng.normal(0, 0.004, count))),
        Signal.GPU_MEMORY: 72 * 2**30 * (1 + np.abs(rng.normal(0, 0.0005, count))),
        Signal.GPU_HEAT: np.zeros(count),
        Signal.GPU_BRAKE: np.zeros(count),
        Signal.GPU_CAPPED: (rng.random(count) < 0.1).astype(float),
    }
    for signal, level in levels.items():
        if signal in (Signal.ENGINE_GAP, Signal.ENGINE_TTFT):
            found[signal] = np.where(during, found[signal] * level, found[signal])
        elif signal is Signal.ENGINE_RESETS:
            found[signal][np.searchsorted(at_s, scene.end_s)] = level
        elif signal is Signal.LOOP_LAG or signal is Signal.OVERHEAD:
            found[signal] = np.where(during, level * rng.gamma(4, 0.25, count), found[signal])
        else:
            found[signal] = np.where(during, level, found[signal])
    return found


def binned(levels: dict[Signal, Floats], stretches: Stretches, zero_unix_s: float) -> dict[Signal, Floats]:
    """As the reading of Prometheus gives them: the mean of each bin, of counts of events their sum."""
    found = {}
    for signal, level in levels.items():
        values = np.full((len(stretches.from_s), stretches.bins), np.nan)
        for at, begin_s in enumerate((stretches.from_s - zero_unix_s).tolist()):
            for place in range(stretches.bins):
                low_s = begin_s + place * stretches.bin_s
                first = max(0, int(np.ceil(low_s / EVERY_S)))
                inside = level[first : int(np.ceil((low_s + stretches.bin_s) / EVERY_S))]
                if len(inside):
                    values[at, place] = inside.sum() if signal is Signal.ENGINE_RESETS else inside.mean()
        found[signal] = values
    return found


def _running(scene: Scene, at_s: Floats) -> Floats:
    begin, end = scene.played.granted_s, scene.played.last_s
    known = np.isfinite(begin) & np.isfinite(end)
    begins, ends = np.sort(begin[known]), np.sort(end[known])
    found: Floats = (np.searchsorted(begins, at_s) - np.searchsorted(ends, at_s)).astype(float)
    return np.maximum(found, 0)


def _engine_times(scene: Scene, at_s: Floats) -> tuple[Floats, Floats]:
    """Mean gap between tokens and mean time to first token of what came about then, as the engine has them:
    who reads slowly does not hold up the engine."""
    played, traffic = scene.played, scene.traffic
    tokens = np.maximum(traffic.output * np.maximum(traffic.held, 0.02) - 1, 1)
    ok = np.isfinite(played.last_s) & np.isfinite(played.first_s) & (traffic.output > 8)
    gap_s = ((played.last_s - played.first_s) / tokens)[ok]
    first_s = (played.first_s - played.granted_s)[ok]
    sums = [np.concatenate([[0.0], np.cumsum(one)]) for one in (gap_s, first_s)]
    low = np.searchsorted(traffic.due_s[ok], at_s - 30)
    high = np.maximum(np.searchsorted(traffic.due_s[ok], at_s + 30), low + 1)
    high = np.minimum(high, len(gap_s))
    low = np.minimum(low, high - 1)
    return tuple((one[high] - one[low]) / (high - low) for one in sums)
