"""What is planted beside a sweep, and when."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

SHARE = 0.3
"""Of the time, that a planted loop is busy."""
SHORTEST_S, LONGEST_S = 8.0, 20.0
"""Of one busy stretch."""


class Condition(StrEnum):
    """Where a busy loop runs beside the sweep."""

    QUIET = "quiet"
    ENGINE_BUSY = "engine-busy"
    HARNESS_BUSY = "harness-busy"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which the loop is busy, seconds from the engine's being ready."""

    start_s: float
    end_s: float


def schedule(condition: Condition, seed: int, length_s: float) -> tuple[Stretch, ...]:
    """The busy stretches of one run, ascending: lengths even from `SHORTEST_S` to `LONGEST_S`, between them
    times that are spread by half around what makes them `SHARE` of the whole. None when quiet."""
    if condition is Condition.QUIET:
        return ()
    draw = random.Random(f"{condition} {seed}")
    pause_s = (SHORTEST_S + LONGEST_S) / 2 * (1 / SHARE - 1)
    found, at_s = [], draw.uniform(0, pause_s)
    while at_s < length_s:
        busy_s = draw.uniform(SHORTEST_S, LONGEST_S)
        found.append(Stretch(at_s, at_s + busy_s))
        at_s += busy_s + pause_s * draw.uniform(0.5, 1.5)
    return tuple(found)


def planted_ratio(stretches: Sequence[Stretch], start_s: float, end_s: float) -> float:
    """The share of a window in which the loop is busy, 0-1; the window is longer than nothing."""
    busy_s = sum(max(0.0, min(one.end_s, end_s) - max(one.start_s, start_s)) for one in stretches)
    return busy_s / (end_s - start_s)
