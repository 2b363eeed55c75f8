"""The asyncio side of admission: waiters are told of their turn, and one timer is for the queue timeout."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from typing import Protocol

from gateway.admission import Admission
from gateway.drain_rate import DrainRate
from gateway.lane import Lanes
from gateway.limits import Limits
from gateway.ticket import NOTHING, NOTHING_KNOWN, Change, RequestFacts, State, Ticket

_RUNNING, _WAITING = State.RUNNING, State.WAITING
REFUSED_AT_ONCE = 64
"""Waiters that are told in one turn of the event loop that they have waited in vain. A hundred thousand whose
patience ends together would else hold up every stream that runs.
"""


class Waiter(Protocol):
    """Who waits with a ticket."""

    def ticket_changed(self) -> None:
        """The ticket runs now, or was ended, but for one that its waiter has ended itself meanwhile."""


class WaitingRoom:
    """Drives an `Admission` with the clock of the process, on one event loop."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.admission = Admission(limits, clock())
        self.drain_rate = DrainRate()
        self.limit_changes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._in_vain: deque[Waiter] = deque()

    def refused(self, request: RequestFacts = NOTHING_KNOWN) -> State | None:
        """How a request is refused, whatever it asks for, if it surely is: it has
        then been offered. None: nothing was offered. request: its lane, where there are some.

        Lets a refusal skip reading the request. Question and offer are one step: had time passed between
        them, a waiter could expire there, and the offer would be a ticket that nobody holds.
        """
        now_s = self._expire()
        admission = self.admission
        if request.lane and admission.active < admission.limits.max_active and not admission.queued:
            return None  # not surely: what its lane has against it, `offer` says
        if admission.refusal(now_s, 1, request) is None:
            return None
        return admission.offer(now_s, 1, request).state

    def offer(self, slots: int, request: RequestFacts, waiter: Waiter | None = None) -> Ticket:
        """Asks for slots; the ticket's state says whether it runs, waits (its waiter is told when that is
        over), or how it was refused. In any case `end` is owed, once.
        """
        ticket = self.admission.offer(self._expire(), slots, request, waiter)
        if ticket.state is _WAITING:
            self._expire()  # another one may have had to make room
            if self._timer is None:
                self._arm()
        return ticket

    def end(self, ticket: Ticket, tokens: float | None = None) -> None:
        """Gives back whatever the ticket still holds: its slots, its place, or nothing. Once per ticket.

        tokens: what its request has really taken, prompt and output; None where that is nobody's.
        """
        now_s = self._expire()
        if ticket.state is _RUNNING:
            if tokens is not None:
                self.admission.correct(ticket, tokens, now_s)
            self.drain_rate.released(now_s)
            self._wake(self.admission.release(ticket, now_s))
        elif ticket.state is _WAITING:
            self._wake(self.admission.leave(ticket, now_s))

    def hold(self, ticket: Ticket, kv_tokens: float) -> None:
        """What a running request really needs of the KV cache; if it is less, others may start."""
        now_s = self._expire()
        self._wake(self.admission.hold(ticket, kv_tokens, now_s))

    def limit_tokens(self, kv_tokens: float | None, block_tokens: int = 1) -> None:
        """Puts another budget of tokens in force, None for no bound; given out in blocks."""
        now_s = self._expire()
        self._wake(self.admission.limit_tokens(kv_tokens, now_s, block_tokens))

    def resize(self, limits: Limits) -> None:
        """Puts new limits in force."""
        self.limit_changes += 1
        self._wake(self.admission.resize(limits, self._clock()))
        self._arm()

    def relane(self, lanes: Lanes) -> None:
        """Puts new lanes in force."""
        self._wake(self.admission.relane(lanes, self._clock()))
        self._arm()

    def drain(self) -> None:
        """Refuses those who wait and those who will come."""
        self._wake(self.admission.drain(self._clock()))

    def wait_s(self) -> float:
        """The measured time until a slot could be free for one more, for `Retry-After`."""
        return self.drain_rate.wait_s(self.admission.queued, self._clock())

    def budget_wait_s(self, lane: str) -> float:
        """The time until a lane has tokens again."""
        return self.admission.budget_wait_s(lane, self._clock())

    def _wake(self, change: Change) -> None:
        if change is NOTHING:
            return
        # Not here and now: what a waiter does may end it, which may wake the next one, and so on.
        loop = asyncio.get_running_loop()
        for waiter in _owners(change.granted):
            loop.call_soon(waiter.ticket_changed)
        if change.ended:
            if not self._in_vain:
                loop.call_soon(self._tell_some)
            self._in_vain.extend(_owners(change.ended))

    def _tell_some(self) -> None:
        for _ in range(min(REFUSED_AT_ONCE, len(self._in_vain))):
            self._in_vain.popleft().ticket_changed()
        if self._in_vain:
            asyncio.get_running_loop().call_soon(self._tell_some)

    def _expire(self) -> float:
        """Ends those whose patience is over. Returns the time."""
        now_s = self._clock()
        # As long as somebody waits there is a timer.
        if self._timer is not None and now_s >= self.admission.next_deadline_s:
            self._wake(self.admission.expire(now_s))
        return now_s

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline_s = self.admission.next_deadline_s
        if deadline_s < inf:
            delay_s = (
                max(0.0, deadline_s - self._clock()) + 0.001
            )  # the loop's clock counts whole milliseconds
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._expire()
        self._arm()


def _owners(tickets: Iterable[Ticket]) -> list[Waiter]:
    """Those who wait with them, as `offer` put them there."""
    return [ticket.owner for ticket in tickets if ticket.owner is not None]  # type: ignore[misc]  # see there
