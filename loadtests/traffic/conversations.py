"""Recorded sessions, as far as a prompt goes on from the one before."""

from __future__ import annotations

import numpy as np

from loadtests.planning.workloads import Counts
from loadtests.traffic.traffic import Traffic


def conversations(traffic: Traffic, prompt_tokens: Counts) -> Counts:
    """The number (n,), from 0, of the conversation that each row belongs to; -1 outside of a session.

    A row goes on from the one before it in its session if its prompt is longer and, as far as both were read,
    begins with the same blocks. Else (a client that drops or sums up old turns, or uses one session for
    several things) a new conversation begins. prompt_tokens (n,).
    """
    texts, none = traffic.prefix.names, {-1, *_codes_of_none(traffic)}
    newest: dict[int, tuple[int, int]] = {}  # session → its conversation, and the row before
    found = np.full(len(traffic), -1, dtype=np.int64)
    fresh = 0
    for i, session in enumerate(traffic.session.codes.tolist()):
        if session in none:
            continue
        number, before = newest.get(session, (-1, -1))
        goes_on = (
            before >= 0
            and prompt_tokens[i] > prompt_tokens[before]
            and texts[traffic.prefix.codes[i]].startswith(_read(traffic, before, i))
        )
        if not goes_on:
            number, fresh = fresh, fresh + 1
        found[i] = number
        newest[session] = number, i
    return found


def openers(conversation: Counts) -> Counts:
    """The first row of each conversation (from 0), in its order."""
    _, first = np.unique(conversation[conversation >= 0], return_index=True)
    return np.flatnonzero(conversation >= 0)[first]


def _codes_of_none(traffic: Traffic) -> list[int]:
    return [code for code, name in enumerate(traffic.session.names) if name == ""]


def _read(traffic: Traffic, before: int, now: int) -> str:
    """The blocks of the prompt before, "" where one of the two was not read."""
    if traffic.prompt_bytes[before] < 0 or traffic.prompt_bytes[now] < 0:
        return ""
    return str(traffic.prefix.names[traffic.prefix.codes[before]])
