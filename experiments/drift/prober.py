"""Small requests through the gateway, so few that nobody feels them.

They may take `SHARE` of the slot-seconds that users take; while nobody is there, they are free. One runs at a
time, and none is sent while somebody waits for a slot. They are spread over the round, so that a crowded
moment is one of them and not all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from experiments.drift.round import Round
from experiments.errors import EnvironmentProblem
from experiments.observe.ask import Asker, AskFailed
from experiments.observe.gateway_admin import Counters, GatewayAdmin
from experiments.observe.request_bodies import RequestBodies
from loadtests.planning.prompts import ONE_EACH
from loadtests.reach.endpoint import Endpoint

SHARE = 0.02
REQUESTS = 8
"""Of a round, at most."""
QUARTILE = 0.25
LONGEST_S = 120.0
LEAST_GAPS = 16
_TOGETHER, _MOST_TOGETHER = 0.1, 0.05
_MARGIN = 2.0
"""Times what a probe usually takes must be left: one may take longer."""
_CARRIED_ROUNDS = 12
"""What was not spent may be spent later, but not more than so many rounds' worth at once."""


@dataclass(frozen=True, slots=True)
class ProbeLengths:
    """Tokens of every probe: alike, so that one says what the other does."""

    prompt: int = 64
    output: int = 64


@dataclass(slots=True)
class Budget:
    """What the probes may take of the slots, in slot-seconds. `beside_s`: what they took while users were
    there, `users_s`: what those took, both of all rounds so far."""

    beside_s: float = 0.0
    users_s: float = 0.0
    left_s: float = 0.0

    def earn(self, users_s: float) -> None:
        """Users took so many slot-seconds since the last round."""
        self.users_s += users_s
        self.left_s = min(self.left_s, (_CARRIED_ROUNDS - 1) * SHARE * users_s) + SHARE * users_s

    def spend(self, slot_s: float, *, alone: bool) -> None:
        """A probe took so many; `alone`: while nobody else was there, which is free."""
        if not alone:
            self.beside_s += slot_s
            self.left_s -= slot_s

    @property
    def share(self) -> float:
        """Of the users' slot-seconds, 0-1."""
        return self.beside_s / self.users_s if self.users_s else 0.0


@dataclass(frozen=True, slots=True)
class _Moment:
    """The gateway's own counters at one time."""

    at_s: float
    active: float
    waiting: float
    active_s: float


@dataclass(slots=True)
class Prober:
    """Asks one gateway. `failed`: probes that were not answered; `skipped`: rounds without any, for want of
    a place or of budget."""

    gateway: Endpoint
    model: str
    lengths: ProbeLengths = field(default_factory=ProbeLengths)
    budget: Budget = field(default_factory=Budget)
    failed: int = 0
    skipped: int = 0
    _usual_s: float = 1.0
    _last: _Moment | None = None
    _own_since_s: float = 0.0

    def round(self, every_s: float) -> Round:
        """One round, which takes `every_s` seconds: up to eight probes, evenly spread.

        Raises:
            EnvironmentProblem: the gateway does not answer.
        """
        return asyncio.run(self._round(every_s))

    async def _round(self, every_s: float) -> Round:
        admin = GatewayAdmin(self.gateway, None)
        try:
            now = _moment(admin)
            if self._last is not None:
                grown_s = now.active_s - self._last.active_s
                # A gateway that was started anew counts from zero.
                self.budget.earn(max(0.0, (grown_s if grown_s >= 0 else now.active_s) - self._own_since_s))
            self._last, self._own_since_s = now, 0.0
            return await self._ask(admin, every_s)
        finally:
            admin.close()

    async def _ask(self, admin: GatewayAdmin, every_s: float) -> Round:
        in_flight: list[float] = []
        tpot_s: list[float] = []
        salt = f"watch {time.time_ns()}"
        bodies = RequestBodies(self.model, ONE_EACH, salt)
        begun_s = time.monotonic()
        async with Asker(self.gateway, timeout_s=LONGEST_S) as asker:
            for number in range(1, REQUESTS + 1):
                found = await self._one(asker, admin, bodies)
                if found is not None:
                    in_flight.append(found[0])
                    tpot_s.append(found[1])
                await asyncio.sleep(max(0.0, begun_s + number * every_s / REQUESTS - time.monotonic()))
        if not tpot_s:
            self.skipped += 1
        return Round(time.time(), in_flight, tpot_s)

    async def _one(
        self, asker: Asker, admin: GatewayAdmin, bodies: RequestBodies
    ) -> tuple[float, float] | None:
        """How many others there were, and the time per token; None where there was no place or no answer."""
        before = _moment(admin)
        alone = before.active == 0
        if before.waiting or not (alone or self.budget.left_s >= _MARGIN * self._usual_s):
            return None
        try:
            answer = await asker.ask(bodies.make(self.lengths.prompt, self.lengths.output))
        except AskFailed:
            self.failed += 1
            return None
        took_s = answer.ended_s - answer.sent_s
        others = self._others(before, _moment(admin), took_s)
        self.budget.spend(took_s, alone=alone and others < 0.5)
        self._own_since_s += took_s
        self._usual_s = took_s
        token_s = token_time_s(answer.times_s)
        return None if token_s is None else (others, token_s)

    @staticmethod
    def _others(before: _Moment, after: _Moment, took_s: float) -> float:
        """Mean number of others that held slots meanwhile, by the gateway's integral of slots."""
        passed_s = after.at_s - before.at_s
        return max(0.0, (after.active_s - before.active_s - took_s) / passed_s)


def token_time_s(times_s: Sequence[float]) -> float | None:
    """What a token takes, by the times of an answer's chunks: the lower quartile of the gaps between them.

    Steps in which others' prompts are computed are longer, and how many of them an answer meets is chance;
    the quartile is of steps without. Where chunks come several at once, or there are fewer than `LEAST_GAPS`,
    their mean says it. None: all came at once, so that they say nothing.
    """
    gaps_s = np.diff(times_s)
    mean_s = float(gaps_s.mean()) if len(gaps_s) else 0.0
    if mean_s <= 0:
        return None
    together = float(np.mean(gaps_s < _TOGETHER * mean_s))
    if len(gaps_s) < LEAST_GAPS or together > _MOST_TOGETHER:
        return mean_s
    return float(np.quantile(gaps_s, QUARTILE))


def _moment(admin: GatewayAdmin) -> _Moment:
    page = Counters.parse(admin.metrics_text())
    if page.whole("gateway_active_limit") is None:
        raise EnvironmentProblem(f"{admin.url}/metrics is no Headroom gateway's: a watch goes through one")
    return _Moment(
        time.monotonic(),
        page.value("gateway_active"),
        page.value("gateway_queue_depth"),
        page.value("gateway_active_seconds_total"),
    )
