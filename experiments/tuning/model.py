"""The fitted engine with what is not known about it: parameter draws, and the discrepancy that no draw
holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from experiments.twin.profile import Profile, slower

LEAST_SPEED_SD = 0.015
"""Two runs of one cell on one machine differ by about as much (`stats.goodput.RUN_TO_RUN`)."""
LEAST_LATENCY_SD = 0.03


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """What the model may be wrong by beyond its parameters (Kennedy and O'Hagan 2001), as standard deviations
    of logarithms: `speed_sd` of how fast the engine is in a run; `latency_sd` of a p95 latency, that speed
    given."""

    speed_sd: float = LEAST_SPEED_SD
    latency_sd: float = LEAST_LATENCY_SD

    @classmethod
    def of_held_out(cls, speed_factor: float, errors: Sequence[float]) -> Discrepancy:
        """From a burst that was not fitted: measured over modelled duration of its steps, and the relative
        errors (predicted/measured − 1) of its latencies once that speed is put in."""
        known = [math.log1p(error) for error in errors if error > -1 and math.isfinite(error)]
        rms = math.sqrt(sum(x * x for x in known) / len(known)) if known else 0.0
        return cls(math.hypot(LEAST_SPEED_SD, math.log(speed_factor)), max(LEAST_LATENCY_SD, rms))


@dataclass(frozen=True, slots=True)
class Model:
    """`profile` is the best estimate, `draws` its parameter uncertainty (at least one)."""

    profile: Profile
    draws: tuple[Profile, ...]
    discrepancy: Discrepancy = Discrepancy()

    def sample(self, count: int, seed: int) -> list[Profile]:
        """`count` engines that this may be: a parameter draw each, at a speed of its own.

        The speeds are the middles of `count` equally likely parts of their law, in random order, so that few
        draws hold its tails, too (Latin hypercube: McKay, Beckman and Conover 1979).
        """
        rng = np.random.default_rng(seed)
        picks = rng.permutation(len(self.draws))
        parts = (rng.permutation(count) + 0.5) / count
        speeds = np.exp(self.discrepancy.speed_sd * scipy.stats.norm.ppf(parts))
        chosen = (self.draws[picks[k % len(picks)]] for k in range(count))
        return [slower(profile, float(k)) for profile, k in zip(chosen, speeds, strict=True)]

    def rescaled(self, factor: float, discrepancy: Discrepancy) -> Model:
        """Every time of it `factor` times as long."""
        draws = tuple(slower(draw, factor) for draw in self.draws)
        return replace(self, profile=slower(self.profile, factor), draws=draws, discrepancy=discrepancy)
