"""Simulations drawn by seed: engines, limits and arrivals as unlike as can be, tight rather than roomy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from experiments.twin.capacity import Planned
from experiments.twin.profile import Profile
from experiments.twin.simulate import Core, Simulated, simulate
from gateway.limits import Limits, QueueMode, QueueOrder


@dataclass(frozen=True, slots=True)
class Case:
    """All that a simulation takes."""

    arrivals: tuple[Planned, ...]
    profile: Profile
    limits: Limits
    users: int
    until_s: float

    def play(self, core: Core, *, logged: bool = False) -> Simulated:
        """By the one code or the other."""
        return simulate(
            self.arrivals, self.profile, self.limits,
            users=self.users, until_s=self.until_s, core=core, logged=logged,
        )  # fmt: skip


def draw(seed: int, requests: int = 120) -> Case:
    """The case of a seed, of up to `requests` requests."""
    rng = np.random.default_rng([seed, 9])
    tied = rng.random() < 0.3  # all times multiples of one: events fall together
    arrivals = _arrivals(rng, int(rng.integers(1, requests + 1)), tied)
    return Case(
        _in_sessions(arrivals, np.random.default_rng([seed, 10])),
        _profile(rng, tied),
        _limits(rng, tied),
        users=int(rng.integers(1, 25)) if rng.random() < 0.25 else 0,
        until_s=float(rng.choice([math.inf, math.inf, 3.0])),
    )


def _in_sessions(arrivals: tuple[Planned, ...], rng: np.random.Generator) -> tuple[Planned, ...]:
    """Mostly as they are; else each follows the answer before it, or several do, and the next follows these.
    They keep their due times, as turns of a recorded trace do: now the one and now the other is later."""
    if rng.random() < 0.6:
        return arrivals
    after: list[tuple[int, ...]] = []
    last: tuple[int, ...] = ()
    while len(after) < len(arrivals):
        if rng.random() < 0.3:
            last = ()
        wide = min(int(rng.choice([1, 1, 1, 3])) if len(last) == 1 else 1, len(arrivals) - len(after))
        first = len(after)
        after += [last] * wide
        last = tuple(range(first, first + wide))
    return tuple(replace(arrival, after=own) for arrival, own in zip(arrivals, after, strict=True))


def _profile(rng: np.random.Generator, tied: bool) -> Profile:
    block_size = int(rng.choice([1, 4, 4, 16, 128]))
    longest = 40 + 90  # of a prompt and its answer
    fewest = -(-longest // block_size)
    seqs = int(rng.choice([1, 3, 16, 16, 256]))

    def cost(top: float) -> float:
        return 0.0 if tied or rng.random() < 0.3 else float(rng.uniform(0, top))

    return Profile(
        name="drawn",
        source="drawn",
        base_s=0.01 if tied else float(rng.uniform(0.002, 0.03)),
        per_decode_s=cost(1e-3),
        per_token_s=cost(5e-4),
        knee_tokens=float(rng.choice([0, 1, 7.5, 64])),
        per_kv_token_s=cost(1e-5),
        per_pair_s=cost(1e-6),
        ingest_s=float(rng.choice([0.0, 0.01, 0.02])) if tied else cost(0.05),
        egress_s=float(rng.choice([0.0, 0.01])) if tied else cost(0.02),
        arrival_work_s=0.01 if tied and rng.random() < 0.3 else cost(0.01),
        end_work_s=0.01 if tied and rng.random() < 0.3 else cost(0.01),
        max_num_seqs=seqs,
        max_num_batched_tokens=max(seqs, int(rng.choice([8, 64, 2048]))),
        num_gpu_blocks=fewest + int(rng.choice([0, 1, 1, 3, 50]) * fewest * rng.random()),
        block_size=block_size,
        max_model_len=longest,
    )


def _limits(rng: np.random.Generator, tied: bool) -> Limits:
    queue_timeout_s, request_timeout_s = np.sort(rng.choice([0.05, 0.3, 1.0, 5.0, 60.0, 60.0], 2))
    offset = 0.0 if tied else float(rng.uniform(0, 0.01))
    return Limits(
        max_active=int(rng.choice([1, 2, 8, 16, 64, 1000])),
        queue_mode=QueueMode.REJECT if rng.random() < 0.15 else QueueMode.QUEUE,
        queue_max=int(rng.choice([0, 1, 4, 100])),
        queue_timeout_s=float(queue_timeout_s) + offset,
        queue_order=QueueOrder.LIFO if rng.random() < 0.4 else QueueOrder.FIFO,
        request_timeout_s=float(request_timeout_s) + offset,
    )


def _arrivals(rng: np.random.Generator, count: int, tied: bool) -> tuple[Planned, ...]:
    gaps_s = rng.exponential(float(rng.choice([0.0, 0.005, 0.02, 0.05, 0.3])), count)
    if rng.random() < 0.3:
        gaps_s *= rng.random(count) < 0.2  # bursts
    due_s = np.cumsum(np.round(gaps_s, 2) if tied else gaps_s)
    prompts = rng.integers(1, rng.choice([2, 41]), count)
    outputs = rng.integers(1, rng.choice([2, 10, 91, 91]), count)
    thinks_s = rng.choice([0.0, 0.01, 0.3], count)
    rows = zip(due_s.tolist(), prompts.tolist(), outputs.tolist(), thinks_s.tolist(), strict=True)
    return tuple(Planned(*row) for row in rows)
