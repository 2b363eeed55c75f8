"""Which requests of a share wait for answers, and what becomes of them when one ends. No clock, no socket."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from loadtests.planning.arrival import Arrival


@dataclass(frozen=True, slots=True)
class Followed:
    """What an end made of the requests that waited for it, each with its own due time."""

    due: list[Arrival] = field(default_factory=list)
    """have all the answers that they follow"""
    lost: list[Arrival] = field(default_factory=list)
    """never get one of them, or follow one that does not"""


class FollowUps:
    """The requests of a share that are due relative to answers; each leaves it once."""

    def __init__(self, arrivals: Iterable[Arrival]) -> None:
        self._open: dict[int, int] = {}  # answers that each still waits for
        self._after: dict[int, list[Arrival]] = {}
        self._answered_s: dict[int, float] = {}
        for arrival in arrivals:
            if arrival.after:
                self._open[arrival.i] = len(arrival.after)
                for i in arrival.after:
                    self._after.setdefault(i, []).append(arrival)

    def __len__(self) -> int:
        return len(self._open)

    def answered(self, i: int, end_s: float) -> Followed:
        """The whole answer to request `i` was in at `end_s` (run time): what follows is due its pause after
        the last answer, and not before the plan's own time."""
        followed = Followed()
        for arrival in self._after.pop(i, ()):
            if arrival.i not in self._open:
                continue  # another answer that it follows did not come
            self._open[arrival.i] -= 1
            last_s = max(end_s, self._answered_s.pop(arrival.i, end_s))
            if self._open[arrival.i]:
                self._answered_s[arrival.i] = last_s
            else:
                del self._open[arrival.i]
                followed.due.append(_due(arrival, last_s))
        return followed

    def failed(self, i: int, end_s: float) -> Followed:
        """Request `i` ended at `end_s` without an answer: nothing that follows, however far, is ever sent. It
        counts as due when it would have been, had answers taken no time from there on."""
        followed = Followed()
        ended = [(i, end_s)]
        while ended:
            number, at_s = ended.pop()
            for arrival in self._after.pop(number, ()):
                if self._open.pop(arrival.i, 0):
                    lost = _due(arrival, at_s)
                    followed.lost.append(lost)
                    ended.append((lost.i, lost.due_s))
        return followed


def _due(arrival: Arrival, answered_s: float) -> Arrival:
    return arrival._replace(due_s=max(arrival.due_s, round(answered_s + arrival.think_s, 6)))
