"""How many requests of a batch may be in flight: one more for each round that went well, half after a refusal
(additive increase, multiplicative decrease). No I/O; times are given.
"""

from __future__ import annotations

from collections import deque
from math import inf

FIRST_WAIT_S, LONGEST_OWN_WAIT_S = 0.5, 30.0
"""After a refusal that tells no wait; doubled by each that follows without a success between."""


WAITERS, LOOKS = 2, 10
"""How many may wait where they are in nobody's way, and how many looks in a row tell that more do."""


class Window:
    """Between 1 and `most`. Begins with 1."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 1.0
        self._own_wait_s = FIRST_WAIT_S
        self._halved_s = -inf
        self._waited: deque[int] = deque(maxlen=LOOKS)
        self.closed_until_s = -inf
        """Nothing is sent before."""

    @property
    def size(self) -> int:
        """Requests that may be in flight, 1 to `most`."""
        return int(self._size)

    def may_send(self, in_flight: int, now_s: float) -> bool:
        """Whether one more may leave now."""
        return now_s >= self.closed_until_s and in_flight < self.size

    def went_well(self, in_flight: int) -> None:
        """One was answered. in_flight: with it. A window that was not used up does not grow."""
        self._own_wait_s = FIRST_WAIT_S
        if in_flight >= self.size:
            self._size = min(self._size + 1 / self._size, float(self._most))

    def refused(self, sent_s: float, told_s: float | None, now_s: float) -> None:
        """One that left at `sent_s` was refused; nothing leaves for `told_s`. What had left before the last
        halving halves nothing again.
        """
        wait_s = self._own_wait_s if told_s is None else told_s
        if sent_s >= self._halved_s:
            self._size = max(self._size / 2, 1.0)
            self._halved_s = now_s
            self._own_wait_s = min(self._own_wait_s * 2, LONGEST_OWN_WAIT_S)
        self.closed_until_s = max(self.closed_until_s, now_s + wait_s)

    def fill(self, in_flight: int, waiting: int) -> None:
        """Looked at, twice a second: of those in flight so many wait for a slot, where they are in nobody's
        way. One or two are to wait, so that a slot that comes free is used at once; what has waited all the
        time for some seconds is too much.
        """
        self._waited.append(waiting)
        if not waiting and in_flight >= self.size:
            self._size = min(self._size + 1, float(self._most))
        most = in_flight - (min(self._waited) - WAITERS)
        if len(self._waited) == LOOKS and most < in_flight:
            self._size = max(min(self._size, float(most)), 1.0)

    def leave(self, in_flight: int, waiting: int) -> None:
        """Of those in flight so many wait for a slot, where they gain nothing: no more than the others."""
        if waiting:
            self._size = max(min(self._size, float(in_flight - waiting)), 1.0)
