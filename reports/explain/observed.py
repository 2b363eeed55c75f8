"""Every signal in every bin of every stretch, and the arithmetic that rules need of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.explain.signal import Signal
from reports.explain.stretches import Stretches

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SLOT_S = 10.0
"""Of the finest count of arrivals."""
FLOOR = 0.03
"""Relative: what differs by less than this is noise, however still the usual hours were."""
_FLOORS = {
    Signal.GPU_MEMORY: 0.003,
    Signal.GPU_CLOCK: 0.01,
    Signal.ACTIVE_LIMIT: 0.01,
    Signal.QUEUE_LIMIT: 0.01,
}
"""Of what is steadier than traffic."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """What lanes asked for; where there are none, sessions. Arrays are (stretches, bins, lanes).

    offered: requests per second, without those sent again and those that their client left early. prompts,
    outputs: tokens per second. slow_s: slot time of answers far slower than those beside them, per second.
    what: what the names are, `lane` or `session`.
    """

    names: tuple[str, ...]
    what: str
    offered: Floats
    prompts: Floats
    outputs: Floats
    slow_s: Floats

    def of(self, kept: Flags) -> Lanes:
        """Only these stretches."""
        columns = (self.offered, self.prompts, self.outputs, self.slow_s)
        return Lanes(self.names, self.what, *(one[kept] for one in columns))


@dataclass(frozen=True, slots=True)
class Latencies:
    """Quantiles of whole stretches. p50, p95: metric → (stretches, lanes + 1), seconds; the last column is of
    all lanes together. requests: (stretches, lanes + 1)."""

    p50: Mapping[str, Floats]
    p95: Mapping[str, Floats]
    requests: Floats

    def of(self, kept: Flags) -> Latencies:
        """Only these stretches."""
        p50 = {metric: one[kept] for metric, one in self.p50.items()}
        p95 = {metric: one[kept] for metric, one in self.p95.items()}
        return Latencies(p50, p95, self.requests[kept])


@dataclass(frozen=True, slots=True)
class FromRows:
    """What the recording tells. slots: arrivals in each SLOT_S, without
    those sent again or left early, (stretches, slots). damaged: lines left out."""

    values: Mapping[Signal, Floats]
    lanes: Lanes
    latencies: Latencies
    slots: Floats
    rows: int
    damaged: int

    def of(self, kept: Flags) -> FromRows:
        """Only these stretches, (stretches,)."""
        values = {signal: one[kept] for signal, one in self.values.items()}
        lanes, latencies = self.lanes.of(kept), self.latencies.of(kept)
        return FromRows(values, lanes, latencies, self.slots[kept], self.rows, self.damaged)


@dataclass(frozen=True, slots=True)
class Change:
    """A signal while it was bad, beside what is usual.

    z: the difference in standard deviations of usual stretches of the same length; nan where nothing can be
    compared.
    """

    value: float
    usual: float
    z: float

    @property
    def known(self) -> bool:
        """Whether both are."""
        return bool(np.isfinite(self.value) and np.isfinite(self.usual))

    @property
    def ratio(self) -> float:
        """New over usual; nan where there is none."""
        return self.value / self.usual if self.known and self.usual > 0 else float("nan")

    @property
    def more(self) -> float:
        """By how much it is larger; 0 where it is not."""
        return max(0.0, self.value - self.usual) if self.known else 0.0


@dataclass(frozen=True, slots=True)
class Observed:
    """All that was read. values: (stretches, bins), nan where nothing is known; a signal that nobody tells is
    absent. unseen: what could not be looked at, in sentences."""

    stretches: Stretches
    values: Mapping[Signal, Floats]
    rows: FromRows | None = None
    unseen: Sequence[str] = ()

    def has(self, signal: Signal) -> bool:
        """Whether it is known at all of the stretch that was asked about."""
        found = self.values.get(signal)
        return found is not None and bool(np.isfinite(found[0]).any())

    def of(self, signal: Signal) -> Floats:
        """Its bins; nan where unknown."""
        found = self.values.get(signal)
        shape = (len(self.stretches.from_s), self.stretches.bins)
        return np.full(shape, np.nan) if found is None else found

    def change(self, signal: Signal, bad: Flags) -> Change:
        """Its mean in the `bad` bins (bins,) of the asked stretch, beside means of as many in a row."""
        return change(self.of(signal), bad, _FLOORS.get(signal, FLOOR))


def change(values: Floats, bad: Flags, floor: float = FLOOR) -> Change:
    """See `Observed.change`; values (stretches, bins)."""
    inside = values[0][bad]
    if not np.isfinite(inside).any():
        return Change(float("nan"), float("nan"), float("nan"))
    value = float(np.nanmean(inside))
    usual = window_means(values[1:], max(1, int(bad.sum())))
    if not len(usual):
        return Change(value, float("nan"), float("nan"))
    middle = float(np.median(usual))
    spread = max(1.4826 * float(np.median(np.abs(usual - middle))), 0.5 * float(usual.std()))
    spread = max(spread, floor * abs(middle), 1e-12)
    return Change(value, middle, (value - middle) / spread)


def window_means(values: Floats, length: int) -> Floats:
    """Means of `length` bins in a row, of all rows, where at least half of them are known."""
    length = min(length, values.shape[1])
    known = np.isfinite(values)
    sums = _windows(np.where(known, values, 0.0), length)
    counts = _windows(known.astype(float), length)
    enough = counts >= max(1.0, length / 2)
    found: Floats = sums[enough] / counts[enough]
    return found


def _windows(values: Floats, length: int) -> Floats:
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    found: Floats = sums[:, length:] - sums[:, :-length]
    return found
