"""A request's place in admission: what is known of the request, what it asks for, and where it stands."""

from collections.abc import Sequence
from enum import Enum
from math import inf
from typing import NamedTuple

BYTES_PER_TOKEN = 4
"""Prompt bytes of a token where only tokens are known: about what English text has."""


class RequestFacts(NamedTuple):
    """What admission may know of a request before it runs; a queue order may read all of it.

    prompt_bytes: size of the prompt's text as UTF-8, at least 0. A prompt given as token ids counts
    BYTES_PER_TOKEN for each; images and sounds count nothing. lane: the name of its `lane.Lane`. cost_tokens:
    how many tokens it will take, prompt and answer, as far as that can be told, at least 0. due_s: when it
    should have been served, on admission's clock; inf where nobody said. kv_tokens: what it may need of the
    engine's KV cache, at least 0; counts where slots have a budget in tokens; kv_output: the part of it that
    fills while it runs, its answers.
    """

    prompt_bytes: int = 0
    lane: str = ""
    cost_tokens: float = 0.0
    due_s: float = inf
    kv_tokens: float = 0.0
    kv_output: float = 0.0


NOTHING_KNOWN = RequestFacts()


class State(Enum):
    """Where a ticket stands. The first two are alive, the others are ends.

    One that ends without having run, while its client is there, has the name of the request's `Outcome`.
    """

    RUNNING = "running"
    WAITING = "waiting"
    RELEASED = "released"
    LEFT = "left"
    QUEUE_TIMEOUT = "queue_timeout"
    REJECTED_FULL = "rejected_full"
    REJECTED_MODE = "rejected_mode"
    DRAINING = "draining"
    OVER_BUDGET = "over_budget"


class Ticket:
    """One request's claim on slots.

    slots: how many it asked for; held: how many it has while running (at most the limit at its start);
    request: what it declared; arrived_s and granted_s: points in time, granted_s is None until it runs;
    owner: whatever the driver wants to find again.
    """

    __slots__ = ("arrived_s", "granted_s", "held", "owner", "request", "slots", "state")

    def __init__(self, arrived_s: float, slots: int, request: RequestFacts, owner: object) -> None:
        self.arrived_s = arrived_s
        self.slots = slots
        self.request = request
        self.owner = owner
        self.state = State.WAITING
        self.granted_s: float | None = None
        self.held = 0

    def __repr__(self) -> str:
        return f"<Ticket [{self.state.value} | slots {self.slots} | arrived {self.arrived_s:.3f}]>"


class Change(NamedTuple):
    """What an event did to tickets other than its own: these now run, these were ended."""

    granted: Sequence[Ticket] = ()
    ended: Sequence[Ticket] = ()


NOTHING = Change()
