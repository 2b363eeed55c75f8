"""The engine of `nonlinear_engine` on a machine that is not quiet: how fast it is changes in time.

A disturbance only slows down. What it does to a step is exact: a step that begins before it and ends in it
takes its share of both. The same bits come from the reference and from the compiled core.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.twin.profile import Profile
from experiments.twin.step_time import Law, StepTime
from tests.experiments.twin import disturbed_law
from tests.experiments.twin.disturbed_law import Floats
from tests.experiments.twin.nonlinear_engine import Nonlinear, Physics, Steps, bounds_of

Pieces = Sequence[tuple[float, float]]
"""(from this second on, this many times slower), ascending in time; before the first: 1. A piece of 1.1 all
along is an engine that is 10 % slower."""


@dataclass(frozen=True, slots=True)
class Slowness:
    """How many times slower than undisturbed an engine is, over a whole run.

    Attributes:
        pieces: seconds from the start of the run.
    """

    pieces: Pieces = ()

    def since(self, start_s: float) -> Pieces:
        """What a cell meets that starts then, in seconds from its own start."""
        running = [factor for at_s, factor in self.pieces if at_s <= start_s]
        later = [(at_s - start_s, factor) for at_s, factor in self.pieces if at_s > start_s]
        return [(0.0, running[-1] if running else 1.0), *later]

    def at(self, times_s: Floats) -> Floats:
        """The factor at each of these times."""
        begins_s = np.array([-math.inf, *(at_s for at_s, _ in self.pieces)])
        factors = np.array([1.0, *(factor for _, factor in self.pieces)])
        found: Floats = factors[np.searchsorted(begins_s, times_s, side="right") - 1]
        return found

    def drifting(self, end_s: float, by: float, step_s: float = 5.0) -> Slowness:
        """The same on an engine that gets slower evenly, `by` (0.15: 15 %) over the run."""
        times_s = sorted({*np.arange(0.0, end_s, step_s).tolist(), *(at_s for at_s, _ in self.pieces)})
        factors = self.at(np.array(times_s)) * (1 + by * np.array(times_s) / end_s)
        return Slowness(tuple(zip(times_s, factors.tolist(), strict=True)))


QUIET = Slowness()


def planted(seed: int, end_s: float, share: float) -> Slowness:
    """Disturbances of 10 to 40 s, each 1.2 to 2.5 times slower, over about `share` of the time up to
    `end_s`, with quiet stretches between them.
    """
    rng = np.random.default_rng([seed, 31])
    pieces: list[tuple[float, float]] = []
    at_s = float(rng.exponential(25.0 * (1 - share) / share))
    while at_s < end_s:
        length_s, factor = float(rng.uniform(10, 40)), float(rng.uniform(1.2, 2.5))
        pieces += [(at_s, factor), (at_s + length_s, 1.0)]
        at_s += length_s + max(1.0, float(rng.exponential(25.0 * (1 - share) / share)))
    return Slowness(tuple(pieces))


class DisturbedSteps(Steps):
    """The steps of this engine; `begin_s` is that of the step that is asked for."""

    __slots__ = ("begin_s", "table")
    begin_s: float
    table: tuple[Floats, Floats, Floats]

    def __init__(self, physics: Physics, speed: float, seed: int, pieces: Pieces) -> None:
        super().__init__(physics, speed, seed)
        known = pieces if pieces and pieces[0][0] <= 0 else [(0.0, 1.0), *pieces]
        object.__setattr__(self, "table", disturbed_law.table_of(np.array(known, dtype=float)))
        object.__setattr__(self, "begin_s", 0.0)

    def at(self, begin_s: float) -> StepTime:
        object.__setattr__(self, "begin_s", begin_s)
        return self

    def compiled(self) -> Law | None:
        return disturbed_law.law(self.values, self.rng, self.table, walk=self.walk)

    def duration_s(self, decode: int, tokens: int, kv_tokens: int) -> float:
        work_s = super().duration_s(decode, tokens, kv_tokens)
        length_s = disturbed_law.stretched_s(*self.table, self.begin_s, work_s)
        if self.walk:
            self.log[-1] = replace(self.log[-1], seconds=length_s)
        return length_s

    def decode_run_s(self, decode: int, kv_tokens: int, steps: int) -> float:
        if steps == 1:
            return self.duration_s(decode, decode, kv_tokens)
        work_s = super().decode_run_s(decode, kv_tokens, steps)
        if work_s == math.inf:
            return work_s
        return disturbed_law.stretched_s(*self.table, self.begin_s, work_s)

    def steps_to_reach(self, decode: int, kv_tokens: int, span_s: float) -> float:
        if span_s <= 0:
            return 1
        until_s = disturbed_law.worked_s(*self.table, self.begin_s + span_s)
        work_s = until_s - disturbed_law.worked_s(*self.table, self.begin_s)
        return super().steps_to_reach(decode, kv_tokens, work_s)


class Disturbed(Nonlinear):
    """A profile whose steps are slowed down by `pieces`."""

    pieces: tuple[tuple[float, float], ...] = ()
    one_by_one: bool = False

    def new_steps(self) -> Steps:
        steps = DisturbedSteps(self.physics, self.speed, self.seed, self.pieces)
        object.__setattr__(steps, "walk", self.one_by_one)
        return steps


def disturbed_engine(
    physics: Physics, bounds: Profile, *, speed_at: Pieces, seed: int, one_by_one: bool = False
) -> Disturbed:
    """One cell on the engine of `physics`, as `nonlinear_engine.engine` makes it.

    Args:
        physics, bounds: of the engine.
        speed_at: when it is how many times slower, seconds from the cell's first arrival.
        seed: of the noise of its steps.
        one_by_one: never several steps at once, as a log of steps needs it; some ten times slower.
    """
    return Disturbed(
        name="disturbed", source="virtual time", base_s=physics.weights_s,
        ingest_s=physics.ingest_s, egress_s=physics.egress_s,
        physics=physics, seed=seed, pieces=tuple(speed_at), one_by_one=one_by_one, **bounds_of(bounds),
    )  # fmt: skip
