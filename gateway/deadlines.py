"""Deadlines without a timer each: a few times a second one sweep looks at what may be due."""

import asyncio
import time
from math import inf
from typing import Protocol

SWEEPS_PER_S = 20
LOOKS_AT_ONCE = 256
"""Then the event loop has its turn: ten thousand connections that came together also grow old together."""


class Timed(Protocol):
    """Something with deadlines of its own. tick: the sweep that looks at it next, 0 for none; `Deadlines`
    alone writes it.
    """

    tick: int

    def on_due(self, now_s: float) -> float:
        """Ends what has lasted too long. Returns when to look again, at any time that is not later than the
        next deadline; inf: not until it is watched anew.
        """


class Deadlines:
    """Who is to be looked at, by the number of the sweep.

    A deadline that moves back costs nothing: the look comes too early and is told a later time. So a chunk
    renews its stream's deadline by one store, and a request costs two changes of a set instead of a timer.
    Nothing is looked at before it is due, nor later than 1 / SWEEPS_PER_S after, or when its turn comes where
    more than LOOKS_AT_ONCE are due together.
    """

    def __init__(self) -> None:
        self._due: dict[int, set[Timed]] = {}
        self._swept = 0
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, timed: Timed, due_s: float) -> None:
        """Looks at `timed` at `due_s` (monotonic) at the latest; an earlier look that is booked stays."""
        if self._timer is None:
            self._swept = int(time.monotonic() * SWEEPS_PER_S) - 1
            self._arm()
        tick = max(int(due_s * SWEEPS_PER_S), self._swept) + 1
        if timed.tick:
            if timed.tick <= tick:
                return
            self.forget(timed)
        timed.tick = tick
        due = self._due.get(tick)
        if due is None:
            self._due[tick] = {timed}
        else:
            due.add(timed)

    def forget(self, timed: Timed) -> None:
        """Looks at it no more."""
        if not timed.tick:
            return
        due = self._due[timed.tick]
        due.discard(timed)
        if not due:
            del self._due[timed.tick]
        timed.tick = 0

    def _arm(self, after_s: float = 1 / SWEEPS_PER_S) -> None:
        self._timer = asyncio.get_running_loop().call_later(after_s, self._sweep)

    def _sweep(self) -> None:
        now_s = time.monotonic()
        last, looks = int(now_s * SWEEPS_PER_S), LOOKS_AT_ONCE
        try:
            while self._swept < last and looks:
                looks = self._look(self._due.get(self._swept + 1), now_s, looks)
                if looks:
                    self._swept += 1
                    self._due.pop(self._swept, None)
        finally:
            self._timer = None
            if self._due:
                self._arm(1 / SWEEPS_PER_S if looks else 0.0)

    def _look(self, due: set[Timed] | None, now_s: float, most: int) -> int:
        """How many looks are left of `most`; 0 where there may be more to look at."""
        while due and most:  # one that ends another of the same sweep takes it out of the set
            timed = due.pop()
            most -= 1
            timed.tick = 0
            next_s = timed.on_due(now_s)
            if next_s < inf:
                self.watch(timed, next_s)
        return most
