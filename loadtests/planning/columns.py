"""What is known of a plan's arrivals before they are put together, how they are, and how a file has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from loadtests.planning import draws
from loadtests.planning.arrival import CAUSAL, PREFIXES, Arrival
from loadtests.planning.mix import Floats, Mix, Sessions, cancellations, no_sessions
from loadtests.planning.workloads import Counts

PHASES = ("warm_up", "measure")
COOL_DOWN = "cool_down"
"""Sessions that begin after the measured window, so that the last measured ones meet the same load."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What is known of a plan's n arrivals before they are put together; each column of length n.

    due_s: ascending, in seconds. new_tokens: prompt lengths without a session's history, in tokens. sessions,
    groups (of a shared prefix, -1 = none): None where there are none, or groups are to be drawn as the mix
    says. think_s: seconds, None = no pauses. leave_s: seconds after which clients hang up (0 = never), None =
    drawn. prefixes: as `Arrival` has them. causal: whether a turn awaits the answer to the one before it;
    else each is due at its own time.
    """

    due_s: Floats
    classes: Sequence[str]
    new_tokens: Counts
    output_tokens: Counts
    sessions: Sessions | None = None
    groups: Counts | None = None
    think_s: Floats | None = None
    leave_s: Floats | None = None
    prefixes: Sequence[tuple[tuple[int, int], ...]] | None = None
    causal: bool = True


def arrivals_of(columns: Columns, mix: Mix, seed: int, warm_up_s: float, loop: str) -> tuple[Arrival, ...]:
    """The arrivals; what the columns leave open is drawn."""
    n = len(columns.due_s)
    sessions = columns.sessions or no_sessions(columns.new_tokens)
    groups = columns.groups
    if groups is None:
        groups = np.full(n, -1)
        if mix.prefix_groups:
            groups = draws.stream(seed, "groups").integers(0, mix.prefix_groups, n)
    prefix = np.where(groups >= 0, np.minimum(mix.prefix_tokens, sessions.prompt_tokens), 0)
    leave_s = columns.leave_s
    if leave_s is None:
        leave_s = cancellations(n, mix, draws.stream(seed, "cancel"))
    before = _turns_before(sessions) if columns.causal else [-1] * n
    fields = (
        range(n),
        np.round(columns.due_s, 6).tolist(),
        np.where(columns.due_s < warm_up_s, *PHASES).tolist() if loop == "open" else ["measure"] * n,
        columns.classes,
        sessions.prompt_tokens.tolist(),
        columns.output_tokens.tolist(),
        draws.stream(seed, "prompts").integers(0, 2**53, n).tolist(),
        sessions.session.tolist(),
        sessions.turn.tolist(),
        groups.tolist(),
        prefix.tolist(),
        np.round(leave_s, 6).tolist(),
        np.round(columns.think_s, 6).tolist() if columns.think_s is not None else [0.0] * n,
        [() if one < 0 else (one,) for one in before],
        before,
        ["user"] * n,
        [()] * n if columns.prefixes is None else columns.prefixes,
    )
    return tuple(map(Arrival._make, zip(*fields, strict=True)))


def _turns_before(sessions: Sessions) -> list[int]:
    """The place of the turn before each (n,), -1 where there is none."""
    last: dict[int, int] = {}
    before = [-1] * len(sessions.session)
    for i, number in enumerate(sessions.session.tolist()):
        if number >= 0:
            before[i] = last.get(number, -1)
            last[number] = i
    return before


def to_document(arrivals: Sequence[Arrival]) -> dict[str, object]:
    """The arrivals of a plan file: a list for each field."""
    columns = zip(*arrivals, strict=True) if arrivals else ([] for _ in Arrival._fields)
    stored = {name: list(column) for name, column in zip(Arrival._fields, columns, strict=True)}
    if not any(stored["after"]):
        for name in CAUSAL:
            del stored[name]
    if not any(stored[PREFIXES]):
        del stored[PREFIXES]
    return dict(stored)


def from_document(stored: Mapping[str, list[Any]]) -> tuple[Arrival, ...]:
    """The inverse of `to_document`. Raises KeyError for a column that is missing, ValueError for one of
    another length."""
    optional = (*CAUSAL, PREFIXES)
    columns = {name: stored[name] for name in Arrival._fields if name in stored or name not in optional}
    if "after" in columns:
        columns["after"] = [tuple(one) for one in columns["after"]]
    if PREFIXES in columns:
        columns[PREFIXES] = [tuple(map(tuple, one)) for one in columns[PREFIXES]]
    rows = zip(*columns.values(), strict=True)
    return tuple(Arrival(**dict(zip(columns, row, strict=True))) for row in rows)
