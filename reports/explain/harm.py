"""What got worse, for whom, and when: measured against the usual hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.explain.observed import Change, Flags, Latencies, Observed, change
from reports.explain.signal import Signal

Floats = NDArray[np.float64]

WORSE = 1.3
"""Times the usual that a latency must be to count as moved."""
FAR = 5.0
"""Standard deviations of usual stretches."""
MORE_BAD = 0.02
"""Share of requests more than usual."""
_CLEAR = 1.1
"""Times the second-worst of the usual stretches."""
_FEWEST = 30
"""Requests of a lane in the stretch, below which its quantiles are not judged."""

METRICS = {"queue_s": "wait for a slot", "ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "whole request"}
_TIMES = (Signal.QUEUE_P95, Signal.TTFT_P95, Signal.TPOT, Signal.E2E_P95)
_BAD = (Signal.REFUSED, Signal.TIMED_OUT, Signal.FAILED, Signal.LEFT)
_LEAST_S = {
    Signal.QUEUE_P95: 0.25,
    Signal.TTFT_P95: 0.1,
    Signal.TPOT: 0.005,
    Signal.E2E_P95: 0.25,
}
"""Seconds that nobody notices."""
_LEAST_OF_METRIC_S = {"queue_s": 0.25, "ttft_s": 0.1, "tpot_s": 0.005, "e2e_s": 0.25}


@dataclass(frozen=True, slots=True)
class Moved:
    """A percentile of a lane in the stretch, beside the median of usual stretches; seconds. lane: "" for all
    of them. rank: 0.5 or 0.95."""

    lane: str
    metric: str
    rank: float
    value_s: float
    usual_s: float
    z: float
    moved: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """Mean seconds of a served request in a stage while it was bad, and usually."""

    name: str
    value_s: float
    usual_s: float

    @property
    def excess_s(self) -> float:
        """More than usual."""
        return max(0.0, self.value_s - self.usual_s)


@dataclass(frozen=True, slots=True)
class Harm:
    """What got worse. bad: the bins in which it was so, (bins,). worse: signals that show it, with what they
    were. stages: where the time went. percentiles: of every lane, whether moved or not."""

    bad: Flags
    worse: Sequence[tuple[Signal, Change]]
    stages: Sequence[Stage]
    percentiles: Sequence[Moved]

    @property
    def any(self) -> bool:
        """Whether anything got worse."""
        return bool(self.worse) or any(one.moved for one in self.percentiles)


def look(observed: Observed) -> Harm:
    """Compare the asked stretch with the others."""
    percentiles = _percentiles(observed)
    flags = {signal: _bad_bins(observed.of(signal), signal) for signal in (*_TIMES, *_BAD)}
    bad = np.any(list(flags.values()), axis=0)
    lasting = {signal for signal, own in flags.items() if _lasts(own)}
    if not bad.any():
        bad = _worst(observed)
    worse = [(signal, observed.change(signal, bad)) for signal in (*_TIMES, *_BAD) if signal in lasting]
    with_lead = bad | np.append(bad[1:], False)
    return Harm(with_lead, [one for one in worse if one[1].known], _stages(observed, bad), percentiles)


def _lasts(bad: Flags) -> bool:
    """One bin alone is chance; two in a row, or three in all, are not."""
    return bool((bad[1:] & bad[:-1]).any() or bad.sum() >= 3)


def _bad_bins(values: Floats, signal: Signal) -> Flags:
    """Bins of the asked stretch that are far worse than any usual bin but one in a hundred."""
    mine, usual = values[0], values[1:]
    usual = usual[np.isfinite(usual)]
    if len(usual) < 20:
        return np.zeros(len(mine), dtype=bool)
    middle, high = np.quantile(usual, (0.5, 0.99))
    least = MORE_BAD if signal in _BAD else max((WORSE - 1) * middle, _LEAST_S[signal])
    with np.errstate(invalid="ignore"):
        found: Flags = mine > max(_CLEAR * high, middle + least)
    return found


def _worst(observed: Observed) -> Flags:
    """Without any bad bin: all of them, so that evidence is of the stretch as a whole."""
    return np.ones(observed.stretches.bins, dtype=bool)


def _percentiles(observed: Observed) -> list[Moved]:
    if observed.rows is None:
        return []
    lanes, latencies = observed.rows.lanes, observed.rows.latencies
    found = []
    for lane, name in [(len(lanes.names), ""), *enumerate(lanes.names)]:
        if latencies.requests[0, lane] < _FEWEST:
            continue
        for metric in METRICS:
            found += [_moved(latencies, metric, rank, lane, name) for rank in (0.5, 0.95)]
    return [one for one in found if np.isfinite(one.value_s)]


def _moved(latencies: Latencies, metric: str, rank: float, lane: int, name: str) -> Moved:
    values = (latencies.p50 if rank == 0.5 else latencies.p95)[metric][:, lane]
    enough = latencies.requests[1:, lane] >= _FEWEST / 2
    usual = values[1:][enough & np.isfinite(values[1:])]
    if len(usual) < 4:
        return Moved(name, metric, rank, float(values[0]), float("nan"), float("nan"), False)
    one = change(np.concatenate([values[:1], usual])[:, None], np.ones(1, dtype=bool))
    second = float(np.sort(usual)[-2])
    enough_s = max(WORSE * one.usual, one.usual + _LEAST_OF_METRIC_S[metric], _CLEAR * second)
    far = bool(one.z > FAR and one.value > enough_s)
    return Moved(name, metric, rank, one.value, one.usual, one.z, far)


def _stages(observed: Observed, bad: Flags) -> list[Stage]:
    named = (("queue", Signal.QUEUE), ("prefill", Signal.PREFILL), ("decode", Signal.DECODE))
    found = []
    for name, signal in named:
        one = observed.change(signal, bad)
        if one.known:
            found.append(Stage(name, one.value, one.usual))
    return found
