"""When a batch ends, from how fast it went lately."""

from __future__ import annotations

from collections import deque

OVER_S = 300.0
"""The rate is that of the last five minutes, pauses included."""


class Forecast:
    """Takes how many are done at which time; times are monotonic seconds."""

    def __init__(self, done: int, now_s: float) -> None:
        self._marks = deque([(now_s, done)])

    def at(self, done: int, now_s: float) -> None:
        """`done` of them now."""
        self._marks.append((now_s, done))
        while len(self._marks) > 2 and self._marks[1][0] <= now_s - OVER_S:
            self._marks.popleft()

    def rate_per_s(self) -> float:
        """Requests per second lately; 0 before the first."""
        (first_s, first), (last_s, last) = self._marks[0], self._marks[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0

    def left_s(self, left: int) -> float | None:
        """Seconds until so many more are done; None while that is unknown."""
        rate_per_s = self.rate_per_s()
        return left / rate_per_s if rate_per_s > 0 else None


def words(left_s: float | None) -> str:
    """For people."""
    if left_s is None:
        return "end unknown"
    if left_s < 90:
        return f"ends in about {left_s:.0f} s"
    minutes = round(left_s / 60)
    return f"ends in about {minutes} min" if minutes < 120 else f"ends in about {left_s / 3600:.1f} h"
