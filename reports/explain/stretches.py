"""Which stretch is asked about, and which others it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.traffic.segments import Span

Floats = NDArray[np.float64]

_DAY_S = 86_400.0
DAYS, FEWEST_DAYS = 7, 3
AROUND = 12
FEWEST = 5
"""Comparable stretches without which nothing is said."""
_SHORTEST_BIN_S, _LONGEST_BIN_S, _BINS = 10.0, 300.0, 15


@dataclass(frozen=True, slots=True)
class Stretches:
    """Stretches of one length; the first is the one asked about, the others are what is usual.

    from_s: begin of each, Unix seconds, (n,). bins: into how many parts each is cut. usual: in words, what
    the others are.
    """

    from_s: Floats
    bin_s: float
    bins: int
    usual: str

    @property
    def length_s(self) -> float:
        """Of each."""
        return self.bin_s * self.bins

    @property
    def asked(self) -> Span:
        """The stretch that is explained."""
        return Span(float(self.from_s[0]), float(self.from_s[0]) + self.length_s)

    def runs(self) -> list[Span]:
        """All of them, those that touch each other taken together, in order of time."""
        found: list[Span] = []
        for begin_s in sorted(self.from_s.tolist()):
            if found and begin_s <= found[-1].until_s + self.length_s:
                found[-1] = Span(found[-1].from_s, begin_s + self.length_s)
            else:
                found.append(Span(begin_s, begin_s + self.length_s))
        return found

    def of(self, kept: NDArray[np.bool_]) -> Stretches:
        """Only those of them; the first stays first."""
        return Stretches(self.from_s[kept], self.bin_s, self.bins, self.usual)


def around(asked: Span, now_s: float, known: Callable[[Span], bool]) -> Stretches:
    """The stretch and what it is compared with: the same time on other days, where at least FEWEST_DAYS of
    them are known, else the hours around it.

    now_s: nothing later is looked at. known: whether a span may have been recorded or scraped.
    """
    length_s = asked.until_s - asked.from_s
    bin_s = float(np.clip(round(length_s / _BINS), _SHORTEST_BIN_S, _LONGEST_BIN_S))
    bins = max(1, round(length_s / bin_s))
    length_s = bins * bin_s
    days = [day for day in (*range(-DAYS, 0), *range(1, DAYS + 1)) if _known(asked, day, now_s, known)]
    if len(days) >= FEWEST_DAYS:
        at = [day * _DAY_S + part * length_s for day in days for part in (-1, 0, 1)]
        usual = f"the same time on {len(days)} other days"
    else:
        # What is beside it may be a part of the same trouble.
        steps = [step for step in range(-AROUND - 1, AROUND + 2) if abs(step) > 1]
        at = [step * length_s for step in steps]
        usual = f"the {_span(AROUND * length_s)} before and after"
    begins = [asked.from_s + offset_s for offset_s in at if asked.from_s + offset_s + length_s <= now_s]
    return Stretches(np.array([asked.from_s, *begins]), bin_s, bins, usual)


def _known(asked: Span, day: int, now_s: float, known: Callable[[Span], bool]) -> bool:
    span = Span(asked.from_s + day * _DAY_S, asked.until_s + day * _DAY_S)
    return span.until_s <= now_s and known(span)


def _span(span_s: float) -> str:
    return f"{span_s / 3600:.3g} hours" if span_s >= 5400 else f"{span_s / 60:.3g} minutes"
