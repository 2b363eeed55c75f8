"""What a session is: how many messages and tool calls, what lies between an answer and what follows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loadtests.planning.arrival import Role
from loadtests.planning.workloads import Lengths


@dataclass(frozen=True, slots=True)
class SessionShape:
    """The law of sessions.

    turns: messages of the user, mean (geometric, at least 1). think_s: mean pause between an answer and the
    next message, seconds (exponential). tool_calls: calls of a tool before the last answer to a message, mean
    (geometric from 0). tool_s: mean time from a call to its result, seconds (exponential). branches: requests
    that every call makes side by side, each a conversation of its own, as agents make of sub-agents; the
    result is due when all are answered. added: tokens that a message after the first, or a result, adds;
    None: as many as a first prompt has.
    """

    turns: float = 1.0
    think_s: float = 0.0
    tool_calls: float = 0.0
    tool_s: float = 0.0
    branches: int = 0
    added: Lengths | None = None

    @property
    def requests(self) -> float:
        """Mean number of requests of a session that no context cuts."""
        return self.turns * (1 + self.tool_calls * (1 + self.branches))

    @property
    def pauses_s(self) -> float:
        """Mean sum of its pauses, seconds."""
        return (self.turns - 1) * self.think_s + self.turns * self.tool_calls * self.tool_s

    @property
    def in_a_row(self) -> float:
        """Mean number of its answers of which none is made beside another."""
        return self.turns * (1 + self.tool_calls * (2 if self.branches else 1))


AGENT = SessionShape(turns=1.5, think_s=10.0, tool_calls=4.0, tool_s=2.0, added=Lengths.lognormal(300, 1.0))
"""An agent at work: tasks of about five calls of the model each, with a tool of seconds between two."""
OF_WORKLOAD = {"agent": AGENT}
"""The sessions that workloads have of their own."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a session, which names others by their place in it. after: whose answers it awaits.
    quotes: whose conversation it goes on, -1 none. think_s: pause after the last of the answers, seconds."""

    after: tuple[int, ...] = ()
    quotes: int = -1
    think_s: float = 0.0
    role: Role = Role.USER


def draw_steps(shape: SessionShape, rng: np.random.Generator) -> list[Step]:
    """The requests of one session, none before those that it follows."""
    steps: list[Step] = []
    last = -1
    for _ in range(int(rng.geometric(1.0 / shape.turns))):
        if last < 0:
            steps.append(Step())
        else:
            steps.append(Step((last,), last, float(rng.exponential(shape.think_s))))
        last = len(steps) - 1
        for _ in range(int(rng.geometric(1.0 / (1.0 + shape.tool_calls))) - 1):
            awaited: tuple[int, ...] = (last,)
            if shape.branches:
                awaited = tuple(range(len(steps), len(steps) + shape.branches))
                steps += [Step((last,)) for _ in range(shape.branches)]
            steps.append(Step(awaited, last, float(rng.exponential(shape.tool_s)), Role.TOOL))
            last = len(steps) - 1
    return steps
