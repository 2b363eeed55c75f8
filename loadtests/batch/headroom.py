"""How many requests of a batch may be in flight beside others, by what is left of the others' objective. No
I/O; times are given.

Each request of the others that was late (or refused) lowers the bound by a factor, each one in time raises it
by as much less as late ones are allowed to be rarer: stochastic approximation of the bound at which the share
of late ones is the allowed one (Robbins and Monro 1951). On a logarithmic scale the bound is then an account:
whatever it was, between two moments at which it is the same exactly the allowed share was late.
"""

from __future__ import annotations

from math import exp, log, sqrt

OURS = 0.009
"""Share of the others' requests that may be late because of a batch: just below one of a hundred."""
LATE_COSTS, LATE_COSTS_FIRST, FIRST = -log(0.9), -log(0.8), 10
"""One late request is a factor of 0.9; of 0.8 for the first ones, when the bound may be far off."""
SEEN_WELL = 1.01
"""Before the first late one the bound grows by this for each in time: nothing speaks against more."""
LEAST = 0.4
"""Below one half nothing is sent; and no lower, lest what the others miss by themselves ends a batch."""
REST_S = 20.0
"""After the last of a batch was in flight, until what the others miss is their own."""
OWN_REMEMBERED, OWN_DOUBTED = 3000.0, 200.0
"""What they miss by themselves is known from so many of their requests, and doubted below so many."""
QUIET_S, LEARNT_QUIET_S, DOUBLES_IN_S = 10.0, 300.0, 10.0
"""Where nobody else asks for so long (the second: after somebody was late) the bound doubles each ten s."""


class Headroom:
    """The bound, from 0 to `most`. Begins with 1."""

    def __init__(self, most: int, attainment: float) -> None:
        """most: at most at once; attainment: the others' objective, a share of their requests."""
        self._most = float(most)
        self._allowed_late = 1.0 - attainment
        self._bound = 1.0
        self._late = 0.0
        self._own_seen = self._own_late = 0.0
        self._now_s: float | None = None
        self._ours_s = self._others_s = 0.0

    def __repr__(self) -> str:
        return f"<Headroom [bound {self._bound:.2f} | late {self._late:g}]>"

    @property
    def size(self) -> int:
        """Requests that may be in flight; 0 while nothing is left of the objective."""
        return int(self._bound + 0.5)

    def saw(
        self, now_s: float, in_time: float, late: float, *, others: bool, in_flight: int, full: bool
    ) -> None:
        """What happened since the last call: how many requests of others were in time, and late.

        others: whether any of theirs runs or waits now; in_flight: of the batch, now; full: whether it used
        all that it may.
        """
        if self._now_s is None:
            self._ours_s = self._others_s = self._now_s = now_s
        if in_flight:
            self._ours_s = now_s
        if others or in_time or late:
            self._others_s = now_s
        self._learn_own(now_s, in_time, late)
        self._late += late
        bound = self._bound * exp(self._step(in_time, late))
        if self._late == late > 0:  # the first: how far off it is by now shows later
            bound /= 2
        elif not self._late and full:
            bound *= SEEN_WELL**in_time
        quiet_s = LEARNT_QUIET_S if self._late else QUIET_S
        if now_s - self._others_s > quiet_s:
            bound = max(bound, 1.0) * 2 ** ((now_s - self._now_s) / DOUBLES_IN_S)
        self._bound = min(max(bound, LEAST), self._most)
        self._now_s = now_s

    def _step(self, in_time: float, late: float) -> float:
        costs = LATE_COSTS_FIRST if self._late < FIRST else LATE_COSTS
        # Less than was seen by its standard error: who is wrong here takes what is the others'.
        own = max(0.0, self._own_late - sqrt(self._own_late)) / (self._own_seen + OWN_DOUBTED)
        allowed = min(own + OURS, self._allowed_late)
        return costs * (allowed * (in_time + late) - late)

    def _learn_own(self, now_s: float, in_time: float, late: float) -> None:
        kept = (1 - 1 / OWN_REMEMBERED) ** (in_time + late)
        self._own_seen *= kept
        self._own_late *= kept
        if now_s - self._ours_s >= REST_S:
            self._own_seen += in_time + late
            self._own_late += late
