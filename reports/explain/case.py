"""One disturbed stretch, with the sums that several rules need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np
from numpy.typing import NDArray

from reports.explain import speed
from reports.explain.harm import Harm
from reports.explain.observed import SLOT_S, Change, Observed, change
from reports.explain.signal import Signal
from reports.explain.written import beside

Floats = NDArray[np.float64]

_FROM_Z, _TO_Z = 2.5, 6.5
_BURST_S = 90.0
_LEAST_SPREAD = 0.02
"""Of a logarithm: what is measured of an engine's speed is no better than that."""


def sure(z: float) -> float:
    """How sure a difference of z standard deviations is, 0 to 1."""
    return float(np.clip((z - _FROM_Z) / (_TO_Z - _FROM_Z), 0.0, 1.0)) if np.isfinite(z) else 0.0


def part(value: float, low: float, high: float) -> float:
    """0 at `low` and below, 1 at `high` and above."""
    return float(np.clip((value - low) / (high - low), 0.0, 1.0)) if np.isfinite(value) else 0.0


@dataclass(frozen=True, slots=True)
class Added:
    """What one lane asked for more than usual: its share of what all did, in the unit of `change`."""

    name: str
    change: Change
    of_all: float


@dataclass(frozen=True)
class Case:
    """What the rules look at."""

    observed: Observed
    harm: Harm

    def change(self, signal: Signal) -> Change:
        """Of a signal, while it was bad."""
        return self.observed.change(signal, self.harm.bad)

    def says(self, signal: Signal) -> str:
        """The same as a line of evidence."""
        return beside(signal.words, signal.unit, self.change(signal))

    @cached_property
    def rate(self) -> Change:
        """Requests per second."""
        return self.change(Signal.OFFERED)

    @cached_property
    def decode_part(self) -> float:
        """Share of a usual request's time at the engine after its first token, 0 to 1."""
        before, after = self.change(Signal.PREFILL).usual, self.change(Signal.DECODE).usual
        if not np.isfinite(before + after) or before + after <= 0:
            return 0.8
        return after / (before + after)

    @cached_property
    def slowdown(self) -> Change:
        """Logarithm of TPOT over what the load lets expect."""
        values = speed.slowdown(self.observed, Signal.TPOT)
        return _of_logarithm(values, self.harm)

    @cached_property
    def prefill_slowdown(self) -> Change:
        """The same of slot to first token."""
        return _of_logarithm(speed.slowdown(self.observed, Signal.PREFILL), self.harm)

    @cached_property
    def burst(self) -> tuple[Change, float]:
        """The highest count of a SLOT_S, and the share of all that came more than usual which came within
        _BURST_S."""
        rows = self.observed.rows
        if rows is None or rows.slots.shape[1] < 2:
            nothing = float("nan")
            return Change(nothing, nothing, nothing), 0.0
        peaks = rows.slots.max(axis=1)
        peak = change(peaks[:, None], np.ones(1, dtype=bool), floor=0.1)
        usual = float(np.median(rows.slots[1:].mean(axis=1)))
        noise = np.sqrt(max(usual, 1.0))
        above = np.maximum(rows.slots[0] - usual - noise, 0.0)
        length = max(1, min(round(_BURST_S / SLOT_S), len(above)))
        best = np.convolve(above, np.ones(length), mode="valid").max()
        return peak, float(best / above.sum()) if above.sum() > 0 else 0.0

    @cached_property
    def is_short(self) -> float:
        """How sure it is that what came more came within a moment."""
        peak, within = self.burst
        return sure(peak.z) * part(within, 0.5, 0.8) * part(peak.ratio, 1.3, 2.0)

    def most_added(self, values: Floats) -> Added | None:
        """The lane whose part of (stretches, bins, lanes) grew most; None where no lane is known."""
        rows = self.observed.rows
        if rows is None or len(rows.lanes.names) < 2:
            return None
        changes = [change(values[:, :, at], self.harm.bad) for at in range(values.shape[2])]
        more = np.array([one.more for one in changes])
        if more.sum() <= 0:
            return None
        top = int(more.argmax())
        return Added(rows.lanes.names[top], changes[top], float(more[top] / more.sum()))

    def longest(self, tokens: Floats) -> Added | None:
        """The lane whose tokens per request, from tokens per second (stretches, bins, lanes), grew most
        clearly; `of_all` is its share of the requests."""
        rows = self.observed.rows
        if rows is None or len(rows.lanes.names) < 2:
            return None
        offered, bad = rows.lanes.offered, self.harm.bad
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.where(offered > 0, tokens / offered, np.nan)
        changes = [change(each[:, :, at], bad) for at in range(each.shape[2])]
        far = [one.z if one.known and one.usual > 0 else -np.inf for one in changes]
        top = int(np.argmax(far))
        share = float(offered[0][bad][:, top].sum() / max(offered[0][bad].sum(), 1e-9))
        return Added(rows.lanes.names[top], changes[top], share) if far[top] > 0 else None

    def worse(self, *signals: Signal) -> bool:
        """Whether one of these got worse."""
        return any(signal in signals for signal, _ in self.harm.worse)


def grown(one: Change) -> float:
    """Logarithm of the ratio; 0 where it did not grow."""
    return max(0.0, log(one.ratio)) if one.known and one.usual > 0 and one.value > 0 else 0.0


def fallen(one: Change) -> float:
    """Logarithm of the inverse ratio; 0 where it did not fall."""
    return max(0.0, -log(one.ratio)) if one.known and one.usual > 0 and one.value > 0 else 0.0


def _of_logarithm(values: Floats, harm: Harm) -> Change:
    one = change(values, harm.bad)
    usual = values[1:][np.isfinite(values[1:])]
    if not one.known or not len(usual):
        return one
    spread = max(abs(one.value - one.usual) / abs(one.z) if one.z else 0.0, _LEAST_SPREAD)
    return Change(one.value, one.usual, (one.value - one.usual) / spread)
