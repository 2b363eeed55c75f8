"""An engine that the twin does not share: what `tune` is tried against in virtual time.

A step reads the weights or computes the tokens, whichever takes longer, with a smooth turn between the two
(p-norm); a pure decode batch is padded to the next captured graph; prompts cost attention that grows with
their square; each step has lognormal noise, and each run a speed of its own. The scheduler is the twin's.
The form is that of the synthetic engine in the notes on method (roofline of Williams, Waterman and
Patterson 2009).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from experiments.calibration.fit import FitRow
from experiments.twin.profile import Profile
from experiments.twin.step_time import Law, StepTime
from tests.experiments.twin import nonlinear_law

GRAPHS = (1, 2, 4, 8, *range(16, 520, 8))


@dataclass(frozen=True, slots=True)
class Physics:
    """Seconds, per step or per token; `sharpness` of the turn; `noise_sd` of the logarithm of a step."""

    weights_s: float = 0.005
    per_token_s: float = 45e-6
    per_kv_token_s: float = 4e-8
    per_square_s: float = 2e-9
    sharpness: float = 6.0
    noise_sd: float = 0.03
    ingest_s: float = 0.003
    egress_s: float = 0.001


class Steps(StepTime):
    """The time of this engine's steps, in place of the twin's."""

    __slots__ = ("log", "physics", "rng", "speed", "walk")
    log: list[FitRow]
    physics: Physics
    rng: np.random.Generator
    speed: float
    walk: bool

    def __init__(self, physics: Physics, speed: float, seed: int) -> None:
        super().__init__(physics.weights_s)
        set_ = object.__setattr__  # the base class is frozen
        set_(self, "physics", physics)
        set_(self, "speed", speed)
        set_(self, "rng", np.random.default_rng(seed))
        set_(self, "log", [])
        set_(self, "walk", False)

    @property
    def values(self) -> nonlinear_law.Floats:
        """As the compiled law has them."""
        p = self.physics
        values = (p.per_token_s, p.per_square_s, p.weights_s, p.per_kv_token_s, p.sharpness, p.noise_sd)
        return np.array([*values, self.speed])

    def compiled(self) -> Law | None:
        return None if self.walk else nonlinear_law.law(self.values, self.rng)

    def quiet_s(self, decode: int, tokens: int, kv_tokens: float) -> float:
        """Without noise, at normal speed."""
        p, prompt = self.physics, tokens - decode
        padded = tokens if prompt else GRAPHS[min(bisect.bisect_left(GRAPHS, decode), len(GRAPHS) - 1)]
        compute = p.per_token_s * padded + p.per_square_s * prompt * prompt
        read = p.weights_s + p.per_kv_token_s * kv_tokens
        # float32 would do: the norm of two positive numbers.
        return float((read**p.sharpness + compute**p.sharpness) ** (1 / p.sharpness))

    def duration_s(self, decode: int, tokens: int, kv_tokens: int) -> float:
        noise = math.exp(self.physics.noise_sd * self.rng.standard_normal())
        length_s = self.speed * noise * self.quiet_s(decode, tokens, kv_tokens)
        if self.walk:
            prompt = tokens - decode
            pairs = prompt * prompt / 2
            self.log.append(FitRow(length_s, 1, decode, prompt, kv_tokens, float(prompt > 0), pairs=pairs))
        return length_s

    def decode_run_s(self, decode: int, kv_tokens: int, steps: int) -> float:
        if steps == 1:
            return self.duration_s(decode, decode, kv_tokens)
        if self.walk:
            return math.inf  # so that the simulator takes one step at a time, and each is logged once
        middle = self.quiet_s(decode, decode, kv_tokens + decode * (steps - 1) / 2)
        noise = math.exp(self.physics.noise_sd / math.sqrt(steps) * self.rng.standard_normal())
        return self.speed * noise * steps * middle

    def steps_to_reach(self, decode: int, kv_tokens: int, span_s: float) -> float:
        if self.walk or span_s <= 0:
            return 1
        one_s = self.speed * self.quiet_s(decode, decode, kv_tokens)
        return math.inf if span_s == math.inf else max(1, math.ceil(span_s / one_s))


class Nonlinear(Profile):
    """A profile whose steps take what `Physics` says. Not a calibration's: the simulator only asks for its
    parts.
    """

    physics: Physics = Physics()
    speed: float = 1.0
    seed: int = 0
    _steps: Steps | None = None

    @property
    def step_time(self) -> StepTime:
        if self._steps is None:
            self._steps = self.new_steps()
        return self._steps

    def new_steps(self) -> Steps:
        return Steps(self.physics, self.speed, self.seed)


def engine(physics: Physics, limits: Profile, *, speed: float = 1.0, seed: int = 0) -> Nonlinear:
    """One run of the engine: `limits` bounds its batches."""
    return Nonlinear(
        name="nonlinear", source="virtual time", base_s=physics.weights_s,
        ingest_s=physics.ingest_s * speed, egress_s=physics.egress_s * speed,
        physics=physics, speed=speed, seed=seed, **bounds_of(limits),
    )  # fmt: skip


def bounds_of(limits: Profile) -> dict[str, Any]:
    """What bounds a batch, by the profile's names."""
    return {
        name: getattr(limits, name)
        for name in (
            "max_num_seqs",
            "max_num_batched_tokens",
            "num_gpu_blocks",
            "block_size",
            "max_model_len",
        )
    }


@contextmanager
def every_step(run: Nonlinear) -> Iterator[list[FitRow]]:
    """Steps taken one by one inside the block, each a row as an engine's step log would have it."""
    steps = run.step_time
    assert isinstance(steps, Steps)
    object.__setattr__(steps, "walk", True)
    steps.log.clear()
    yield steps.log
    object.__setattr__(steps, "walk", False)


def graphs_off(physics: Physics) -> Physics:
    """The same without noise, for comparing means."""
    return replace(physics, noise_sd=0.0)
