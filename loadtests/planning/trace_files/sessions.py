"""Sessions: chains of requests that name the one before, and turns that follow an answer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from loadtests.planning.mix import Floats
from loadtests.planning.workloads import Counts


def roots(known: Mapping[str, int], parents: Mapping[str, str]) -> Counts:
    """The number of the first of its chain, for each number of `known` (name → number from 0).

    `parents` names what each goes on from; one that goes on from nothing known is the first of its chain, as
    is some one of a chain that bites its tail.
    """
    before = list(range(len(known)))
    for name, parent in parents.items():
        if name in known and parent in known:
            before[known[name]] = known[parent]
    roots_of = [-1] * len(known)
    for start in range(len(known)):
        path, at = [start], before[start]
        on_path = {start}
        while roots_of[at] < 0 and at != path[-1] and at not in on_path:
            path.append(at)
            on_path.add(at)
            at = before[at]
        root = roots_of[at] if roots_of[at] >= 0 else at
        for number in path:
            roots_of[number] = root
    return np.array(roots_of, dtype=np.int64)


def followed(arrival_s: Floats, delay_s: Floats, session: Counts) -> tuple[Floats, int]:
    """Arrivals (n,) where those that are nan come `delay_s` after the arrival of the turn before them, in the
    order given; and the place of the first that has no turn before it, -1 for none."""
    if not np.isnan(arrival_s).any():
        return arrival_s, -1
    placed = arrival_s.tolist()
    last_s: dict[int, float] = {}
    for i, (own_s, after_s, number) in enumerate(
        zip(placed, delay_s.tolist(), session.tolist(), strict=True)
    ):
        if own_s != own_s:
            if number < 0 or number not in last_s:
                return arrival_s, i
            placed[i] = last_s[number] + after_s
        last_s[number] = placed[i]
    return np.array(placed), -1


def turns(session: Counts) -> Counts:
    """The turn (n,), from 0, of each request in its session; 0 outside of one (-1)."""
    next_turn: dict[int, int] = {}
    turn = np.zeros(len(session), dtype=np.int64)
    for i, number in enumerate(session.tolist()):
        if number >= 0:
            turn[i] = next_turn.get(number, 0)
            next_turn[number] = int(turn[i]) + 1
    return turn


def with_history(session: Counts, new_tokens: Counts, output_tokens: Counts) -> Counts:
    """Whole prompts (n,) in tokens where `new_tokens` are those of the turn alone: everything said before in
    its session comes first."""
    history_tokens: dict[int, int] = {}
    whole = new_tokens.copy()
    for i, number in enumerate(session.tolist()):
        if number >= 0:
            whole[i] += history_tokens.get(number, 0)
            history_tokens[number] = int(whole[i] + output_tokens[i])
    return whole


def split_where_shorter(session: Counts, prompt_tokens: Counts, output_tokens: Counts) -> tuple[Counts, int]:
    """Sessions (n,) in which every prompt is longer than what was said before it, and how
    often one was split.

    A client that drops old turns sends shorter ones; they cannot carry the history, so a session begins.
    """
    current: dict[int, int] = {}
    history_tokens: dict[int, int] = {}
    renumbered, split = session.copy(), 0
    fresh = int(session.max(initial=-1)) + 1
    columns = zip(session.tolist(), prompt_tokens.tolist(), output_tokens.tolist(), strict=True)
    for i, (number, prompt, output) in enumerate(columns):
        if number < 0:
            continue
        if prompt <= history_tokens.get(number, 0):
            current[number], fresh, split = fresh, fresh + 1, split + 1
        renumbered[i] = current.get(number, number)
        history_tokens[number] = prompt + output
    return renumbered, split
