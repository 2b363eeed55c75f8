"""Gateway and engine in virtual time: a load plan through the gateway's admission and the engine model.

Two codes play it, with the same numbers to the last bit: `reference` says what is meant, `core` is compiled
and some forty times faster once it is there. Which one ran is in the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Sequence as Sequential
from enum import Enum
from math import inf

from experiments.twin import compiled, reference
from experiments.twin.profile import Profile
from experiments.twin.simulated import Arrival, Simulated
from experiments.twin.tables import Offered
from gateway.limits import Limits, SlotCost
from gateway.orders import ORDERS, Orders

__all__ = ["Core", "Offered", "Player", "Simulated", "simulate"]

PATIENCE_S = 1.0
"""Seconds of simulation in Python that are worth getting the compiled core ready instead."""


class Core(Enum):
    """Who plays: AUTO is for use, the others are for tests and benchmarks.

    AUTO: the compiled core where it covers the case and is ready, or worth getting ready; else the reference.
    REFERENCE: never the core. COMPILED: the core wherever it covers the case and this machine can have it;
    also with a law of step times of somebody's own, which takes seconds to compile in each process.
    """

    AUTO = "auto"
    REFERENCE = "reference"
    COMPILED = "compiled"


def simulate(
    arrivals: Sequential[Arrival] | Offered,
    profile: Profile,
    limits: Limits,
    *,
    users: int = 0,
    until_s: float = inf,
    orders: Orders = ORDERS,
    core: Core = Core.AUTO,
    logged: bool = False,
) -> Simulated:
    """Run `arrivals` (ascending in `due_s`) to the end of the last request. For many runs there is `Player`.

    Args:
        arrivals: of a plan; as `Offered`, where they are played more than once, or share by lanes.
        profile: the engine.
        limits: of the gateway. Slots in tokens: as many as the engine's cache holds, unless `Offered` says.
        users: 0 for an open loop, in which an arrival that follows others is due when they are answered and
            its `think_s` seconds are over, and never where one of them is not; else that many users send the
            arrivals in order, each after its last answer and the arrival's `think_s` seconds, and `due_s` and
            `after` do not count.
        until_s: what has not arrived by then is not sent.
        orders: the queue orders that the limits choose from.
        logged: whether the result has a log of the engine's steps.

    Raises:
        ValueError: a request could never fit into the engine.
    """
    player = Player(core)
    return player.simulate(
        arrivals, profile, limits, users=users, until_s=until_s, orders=orders, logged=logged
    )


class Player:
    """Plays simulations, and learns whether they are many, if nobody has said so: only then is the compiled
    core got ready.

    Read-only: compiled, interpreted (simulations so far by either code), shared (of those in Python, with
    lanes or a budget of tokens, which the compiled core has not), tangled (of those in Python, with
    sessions of a form that it has not), spent_s (seconds in the reference),
    obstacle (why the core was wanted and is not used, or None).
    """

    def __init__(
        self, core: Core = Core.AUTO, clock: Callable[[], float] = time.perf_counter, expected: int = 0
    ) -> None:
        """`expected`: simulations that are sure to come; the first tells whether they are worth it."""
        self.compiled = self.interpreted = self.shared = self.tangled = 0
        self.spent_s = 0.0
        self.obstacle: str | None = None
        self._core = core
        self._clock = clock
        self._expected = expected

    def __str__(self) -> str:
        shared = f"{self.shared} of them with lanes or a budget of tokens, which only Python plays"
        tangled = f"{self.tangled} of them with sessions that only Python plays"
        told = (self.obstacle, shared if self.shared else "", tangled if self.tangled else "")
        reasons = [reason for reason in told if reason]
        why = f" ({'; '.join(reasons)})" if reasons else ""
        return f"{self.compiled} simulations in the compiled core, {self.interpreted} in Python{why}"

    def simulate(
        self,
        arrivals: Sequential[Arrival] | Offered,
        profile: Profile,
        limits: Limits,
        *,
        users: int = 0,
        until_s: float = inf,
        orders: Orders = ORDERS,
        logged: bool = False,
    ) -> Simulated:
        """As the function of that name."""
        offered = arrivals if isinstance(arrivals, Offered) else Offered(arrivals)
        if limits.slot_cost is SlotCost.TOKENS and offered.budget is None:
            offered = offered.within(profile.num_gpu_blocks * profile.block_size)
        laws = self._core is Core.COMPILED
        if self._may_compile() and compiled.covers(offered, profile, limits, orders, laws=laws):
            done = compiled.play(offered, profile, limits, users, until_s, orders, logged=logged)
            if done is not None:
                self.compiled += 1
                return done
        begin_s = self._clock()
        done = reference.play(offered, profile, limits, users, until_s, orders, logged=logged)
        self.spent_s += self._clock() - begin_s
        self.interpreted += 1
        self.shared += offered.shared
        self.tangled += offered.follow is not None and not offered.follow.one_chain
        return done

    def _may_compile(self) -> bool:
        if self._core is Core.REFERENCE:
            return False
        if not (self._core is Core.COMPILED or compiled.is_ready() or self._are_many()):
            return False
        self.obstacle = compiled.obstacle()
        return self.obstacle is None

    def _are_many(self) -> bool:
        """Whether those in Python have taken long, or the expected ones would."""
        if not self.interpreted:
            return False
        whole_s = self.spent_s / self.interpreted * max(self._expected, self.interpreted)
        return whole_s > PATIENCE_S
