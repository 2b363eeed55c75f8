"""One planned request: the row of a plan."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """Who says what a request adds to its conversation."""

    USER = "user"
    TOOL = "tool"
    """The result of a tool that the answer before it called."""


class Arrival(NamedTuple):
    """One planned request. Times in seconds, lengths in tokens; -1 means "none" for the integer keys."""

    i: int
    due_s: float
    """Seconds after the start of the run; in a closed plan 0 (a user sends when its last answer is in). Of a
    request that follows answers the earliest: as if these had taken no time."""
    phase: str
    cls: str
    prompt_tokens: int
    """The whole prompt: shared prefix, history of the session, and new words."""
    output_tokens: int
    prompt_seed: int
    session: int = -1
    turn: int = 0
    prefix_group: int = -1
    prefix_tokens: int = 0
    cancel_after_s: float = 0.0
    """The client hangs up this long after it sent, if the answer is not complete; 0 means it never does."""
    think_s: float = 0.0
    """Pause before this request: after the last of the answers that it follows; in a closed loop, after the
    user's last one."""
    after: tuple[int, ...] = ()
    """Numbers of the requests whose whole answers must be in before it is due; none: it is due at `due_s`."""
    quotes: int = -1
    """Number of the request whose conversation, answer included, its prompt begins with."""
    role: str = Role.USER.value
    prefixes: tuple[tuple[int, int], ...] = ()
    """(node, tokens), ascending: the prompt's first `tokens` tokens are those of all with the same node. In a
    session they are those of its first request."""


CAUSAL = ("after", "quotes", "role")
"""The columns of a plan in which some request follows an answer; other plans are without them."""
PREFIXES = "prefixes"
"""The column of a plan in which some prompts begin alike so; other plans are without it."""
