"""One planned request: the row of a plan."""

from __future__ import annotations

from typing import NamedTuple


class Arrival(NamedTuple):
    """One planned request. Times in seconds, lengths in tokens; -1 means "none" for the integer keys."""

    i: int
    due_s: float
    """Seconds after the start of the run; in a closed plan 0 (a user sends when its last answer is in)."""
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
    """Closed loop: pause before this request."""
    prefixes: tuple[tuple[int, int], ...] = ()
    """(node, tokens), ascending: the prompt's first `tokens` tokens are those of all with the same node. In a
    session they are those of its first request."""
