"""The arrivals of several load classes as one plan.

Each class is drawn by itself, from a seed of its own: its requests are the same whatever is sent beside
them, so that a class alone and in a mix can be compared request by request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from loadtests.planning.arrival import Arrival
from loadtests.planning.causal import renumbered


def class_seed(seed: int, name: str) -> int:
    """The seed of a class in a plan of this seed."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:6])


def by_due_time(classes: Sequence[Sequence[Arrival]]) -> tuple[Arrival, ...]:
    """All arrivals of an open loop, ascending in `due_s`; of the same moment those of the earlier class
    first."""
    every: list[Arrival] = []
    for own in classes:
        every += [_shifted(arrival, len(every)) for arrival in own]
    return renumbered(sorted(every, key=lambda arrival: arrival.due_s))


def by_share(
    classes: Sequence[Sequence[Arrival]], shares: Sequence[float], rng: np.random.Generator
) -> tuple[Arrival, ...]:
    """The pool of a closed loop, as large as that of each class: request after request is of a class drawn by
    its share (they sum to 1)."""
    owners = rng.choice(len(classes), size=len(classes[0]), p=shares)
    taken = [iter(own) for own in classes]
    return _numbered([next(taken[owner]) for owner in owners.tolist()])


def apart(arrivals: Sequence[Arrival], name: str, first_session: int, first_group: int) -> list[Arrival]:
    """A class's own arrivals under its name; its sessions and groups of a shared prefix are numbered from
    these on, so that no two classes share one."""
    return [
        arrival._replace(
            cls=name,
            session=arrival.session + first_session if arrival.session >= 0 else -1,
            prefix_group=arrival.prefix_group + first_group if arrival.prefix_group >= 0 else -1,
        )
        for arrival in arrivals
    ]


def _shifted(arrival: Arrival, by: int) -> Arrival:
    """Numbered from `by` on, beside the arrivals of other classes."""
    if not arrival.after:
        return arrival._replace(i=arrival.i + by)
    quotes = arrival.quotes + by if arrival.quotes >= 0 else -1
    return arrival._replace(i=arrival.i + by, after=tuple(j + by for j in arrival.after), quotes=quotes)


def _numbered(arrivals: Sequence[Arrival]) -> tuple[Arrival, ...]:
    return tuple(arrival._replace(i=i) for i, arrival in enumerate(arrivals))
