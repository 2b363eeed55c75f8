"""A world with a known truth: the project's twin, which is the gateway's admission code before a batching
engine in virtual time.

The engine makes a token for each running request in every step, and a step with n of them takes
alpha + beta·n seconds: a larger MAX_ACTIVE buys rate and pays with slower tokens. beta = 0 makes the slots
independent servers, and with geometric lengths the system M/M/c/K with deterministic patience, as far as
steps are short.
"""

from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from experiments.twin.profile import Profile
from experiments.twin.simulate import Core, simulate
from gateway.limits import Limits

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Machine:
    """Seconds per step with n running: alpha_s + beta_s·n; `tokens`: mean length of an answer."""

    alpha_s: float = 0.02
    beta_s: float = 0.0
    tokens: float = 50.0

    def capacity_per_s(self, max_active: int) -> float:
        """Completions per second with every slot busy."""
        return max_active / (self.alpha_s + self.beta_s * max_active) / self.tokens

    def profile(self, speed: float = 1.0) -> Profile:
        """The twin's engine, bound by nothing but its steps; `speed` > 1 is a faster machine on that day."""
        return Profile(
            name="truth",
            source="chosen",
            base_s=self.alpha_s / speed,
            per_decode_s=self.beta_s / speed,
            max_num_seqs=4096,
            max_num_batched_tokens=1_000_000,
            num_gpu_blocks=1_000_000,
            max_model_len=1_000_000,
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """One run. Per request (n,): due, slot granted, first token, end (nan where it never came), lengths, shed
    or not.

    `active`, `queued`: sampled each second.
    """

    due_s: Floats
    granted_s: Floats
    first_s: Floats
    end_s: Floats
    tokens: Floats
    shed: npt.NDArray[np.bool_]
    active: Floats
    queued: Floats

    @property
    def ttft_s(self) -> Floats:
        return self.first_s - self.due_s

    @property
    def e2e_s(self) -> Floats:
        return self.end_s - self.due_s

    def good(self, ttft_s: float, tpot_s: float = inf) -> npt.NDArray[np.bool_]:
        """Whether each request met the objective."""
        tpot = (self.end_s - self.first_s) / np.maximum(self.tokens - 1.0, 1.0)
        with np.errstate(invalid="ignore"):
            return np.asarray(~self.shed & (self.ttft_s <= ttft_s) & (tpot <= tpot_s))


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A trace: due times and lengths in tokens (n,)."""

    due_s: Floats
    tokens: Floats


class _Request(NamedTuple):
    due_s: float
    prompt_tokens: int
    output_tokens: int
    think_s: float
    after: tuple[int, ...] = ()


def poisson(
    rng: np.random.Generator, rate_per_s: float, duration_s: float, machine: Machine, shape: float = 1.0
) -> Arrivals:
    """A Poisson trace; lengths are Gamma with that shape, geometric for 1, in whole tokens."""
    due = np.sort(rng.uniform(0.0, duration_s, rng.poisson(rate_per_s * duration_s)))
    if shape == 1.0:
        return Arrivals(due, rng.geometric(1.0 / machine.tokens, len(due)).astype(float))
    return Arrivals(due, np.maximum(1.0, np.rint(rng.gamma(shape, machine.tokens / shape, len(due)))))


def serve(trace: Arrivals, limits: Limits, machine: Machine, speed: float = 1.0) -> Seen:
    """Serve the trace on the twin; `speed` > 1 is a faster machine on that day."""
    requests = [
        _Request(due_s, 1, int(tokens), 0.0)
        for due_s, tokens in zip(trace.due_s.tolist(), trace.tokens.tolist(), strict=True)
    ]
    seen = simulate(requests, machine.profile(speed), limits, core=Core.COMPILED)
    shed = np.array([outcome != "ok" for outcome in seen.outcome])
    waited_s = np.array([outcome == "queue_timeout" for outcome in seen.outcome]) * limits.queue_timeout_s
    left_s = np.where(np.isnan(seen.granted_s), seen.due_s + waited_s, seen.granted_s)
    at_s = np.arange(0.0, seen.end_s)
    return Seen(
        seen.due_s, seen.granted_s, seen.first_s, seen.last_s, trace.tokens, shed,
        active=_inside(seen.granted_s[~shed], seen.last_s[~shed], at_s),
        queued=_inside(seen.due_s, left_s, at_s),
    )  # fmt: skip


def _inside(begins_s: Floats, ends_s: Floats, at_s: Floats) -> Floats:
    """How many of the spans hold each of the times."""
    begun = np.searchsorted(np.sort(begins_s), at_s, side="right")
    return np.asarray(begun - np.searchsorted(np.sort(ends_s), at_s, side="right"), dtype=float)
