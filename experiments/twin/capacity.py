"""How many requests an engine serves per second when it always has enough of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.twin.profile import Profile
from experiments.twin.simulate import simulate
from gateway.limits import Limits

OPEN = Limits(max_active=1_000_000, queue_timeout_s=3600, request_timeout_s=3600)
"""A gateway that nobody waits at."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A request to simulate; the lengths are those that the engine counts."""

    due_s: float
    prompt_tokens: int
    output_tokens: int
    think_s: float = 0.0
    after: tuple[int, ...] = ()


def predicted_capacity(profile: Profile, lengths: Sequence[tuple[int, int]]) -> float:
    """Requests per second of a closed loop that keeps the batch full; `lengths`: tokens of prompt and answer,
    which its requests take in turn.
    """
    users = 2 * profile.max_num_seqs
    work = [Planned(0.0, *pair) for pair in itertools.islice(itertools.cycle(lengths), 20 * users)]
    done = simulate(work, profile, OPEN, users=users)
    return len(work) / done.end_s
