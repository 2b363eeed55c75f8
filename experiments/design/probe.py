"""What the probe saw of the engine: the measure of loads, windows, objective and queue timeout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class IdleLatencies:
    """Of an engine with one request at a time: medians over a few, seconds; no TPOT where answers have one
    token."""

    ttft_s: float
    tpot_s: float | None
    e2e_s: float

    def at_best(self, again: IdleLatencies) -> IdleLatencies:
        """The lower of each in two looks."""
        tpots_s = [tpot_s for tpot_s in (self.tpot_s, again.tpot_s) if tpot_s is not None]
        return IdleLatencies(
            min(self.ttft_s, again.ttft_s), min(tpots_s, default=None), min(self.e2e_s, again.e2e_s)
        )


@dataclass(frozen=True, slots=True)
class Probe:
    """What the probe saw; medians over a few requests."""

    ttft_s: float
    """of an idle engine"""
    tpot_s: float | None
    """of an idle engine; none where the answers have one token"""
    e2e_s: float
    """of an idle engine"""
    capacity_per_s: float
    """completions per second on the plateau of a closed-loop staircase"""
    e2e_at_capacity_s: float
    """on the first step of that plateau"""
    ttft_at_capacity_s: float
    """the same for the TTFT"""
    steps: tuple[tuple[int, float], ...]
    """the staircase: requests in flight, completions per second"""

    def rate_with(self, in_flight: int) -> float:
        """About what the engine completes per second with so many requests in flight (1 at least): straight
        lines between the steps of the staircase, capacity beyond them."""
        counts, rates = zip((1, min(1.0 / self.e2e_s, self.capacity_per_s)), *sorted(self.steps), strict=True)
        return float(np.interp(in_flight, counts, rates, right=self.capacity_per_s))

    def e2e_with_s(self, in_flight: int) -> float:
        """About how long a request takes with so many in flight, seconds (Little's law)."""
        return in_flight / self.rate_with(in_flight)

    def life_at_s(self, rate_per_s: float) -> float:
        """About how long a request takes at a rate below capacity, seconds: where the steps reach it."""
        counts = [1, *(count for count, _ in sorted(self.steps))]
        rates = np.maximum.accumulate([self.rate_with(count) for count in counts])
        if rate_per_s <= rates[0]:
            return self.e2e_s
        return float(np.interp(rate_per_s, rates, counts)) / rate_per_s


ASSUMED = Probe(
    ttft_s=0.03,
    tpot_s=0.02,
    e2e_s=0.5,
    capacity_per_s=15.0,
    e2e_at_capacity_s=1.0,
    ttft_at_capacity_s=0.1,
    steps=((4, 6.0), (8, 10.0), (16, 15.0)),
)
"""The tiny model on one core, about; only a dry run uses it, and says so."""
