"""Who may run, who waits, who is refused: a state machine without I/O or clock.

The driver passes the time of every event in; the answer says what happened to whom. The asyncio gateway and
the simulator drive this same code. Every event costs O(1) per ticket it touches, plus what the queue order
costs for it: see `orders.Order`.

    offer ──► RUNNING ──────────────release──► RELEASED
      ├────► WAITING ──hand-over──► RUNNING
      │         ├──────leave──► LEFT
      │         ├──────expire─► QUEUE_TIMEOUT, or REJECTED_FULL where it had to make room
      │         └──────drain──► DRAINING
      └────► REJECTED_FULL | REJECTED_MODE | OVER_BUDGET | DRAINING

A freed slot goes to a waiter inside the event that freed it, so a newcomer never sees it. A ticket ends
exactly once; ending it again is a bug of the driver and raises ValueError. Times are seconds on one monotonic
clock and never go back.

Where there are lanes, `Sharing` says who is next, and a full queue has a place for a lane that waits with
less than its share: the longest lane gives one up.
"""

from collections import OrderedDict
from collections.abc import Sequence
from math import inf

from gateway.lane import NO_LANES, Lanes
from gateway.limits import Limits, QueueMode
from gateway.orders import ORDERS, Orders
from gateway.sharing import LaneUse, Sharing
from gateway.ticket import NOTHING, NOTHING_KNOWN, Change, RequestFacts, State, Ticket
from gateway.token_pool import TokenPool


class Admission:
    """The bounded slot queue.

    Read-only for drivers: limits, lanes, pool (None: no budget of tokens), active (slots held), running
    (tickets), draining, arrived (offers so far), and the time integrals active_seconds, queue_seconds,
    queue_full_seconds, up to the last event (`advance` brings them to now).
    """

    def __init__(
        self, limits: Limits, start_s: float = 0.0, orders: Orders = ORDERS, lanes: Lanes = NO_LANES
    ) -> None:
        self.limits = limits
        self.lanes = lanes
        self.active = 0
        self.running = 0
        self.arrived = 0
        self.draining = False
        self.active_seconds = 0.0
        self.queue_seconds = 0.0
        self.queue_full_seconds = 0.0
        self._now_s = start_s
        self._orders = orders
        self._line = orders[limits.queue_order]()
        self._by_arrival: OrderedDict[Ticket, None] = OrderedDict()
        self._sharing = Sharing(lanes, limits, orders, start_s) if lanes.shared else None
        self.pool: TokenPool | None = None
        self._untold: list[Ticket] = []  # ended by the `offer` of another one, or started by it

    def __repr__(self) -> str:
        return f"<Admission [limit {self.limits.max_active} | active {self.active} | waiting {self.queued}]>"

    @property
    def queued(self) -> int:
        """Tickets waiting now."""
        return len(self._by_arrival)

    @property
    def next_deadline_s(self) -> float:
        """When the longest waiter's patience ends; inf when nobody waits. Call `expire`
        at that time, before any later event. It is now when an `offer` has ended a waiter to make room.
        """
        if self._untold:
            return self._now_s
        oldest = next(iter(self._by_arrival), None)
        return inf if oldest is None else oldest.arrived_s + self.limits.queue_timeout_s

    @property
    def uses(self) -> Sequence[LaneUse]:
        """What each lane has now, in the order of `lanes`; empty where nothing is shared."""
        return () if self._sharing is None else self._sharing.uses

    def budget_wait_s(self, lane: str, now_s: float) -> float:
        """Seconds until a request of this lane is no longer OVER_BUDGET; 0 when it is not."""
        return 0.0 if self._sharing is None else self._sharing.budget_wait_s(RequestFacts(lane=lane), now_s)

    def refusal(self, now_s: float, slots: int = 1, request: RequestFacts = NOTHING_KNOWN) -> State | None:
        """How a newcomer of that lane would be refused now, or None when it would run or wait."""
        if self.draining:
            return State.DRAINING
        if self._sharing is not None:
            return self._sharing.refusal(request, slots, self.limits.max_active - self.active, now_s)
        if self._runs_at_once(slots, request):
            return None
        if self.limits.queue_mode is QueueMode.REJECT:
            return State.REJECTED_MODE
        return State.REJECTED_FULL if len(self._by_arrival) >= self.limits.queue_max else None

    def offer(
        self, now_s: float, slots: int = 1, request: RequestFacts = NOTHING_KNOWN, owner: object = None
    ) -> Ticket:
        """A request arrives. The ticket's state is the answer: RUNNING, WAITING, or one of the refusals.

        slots is at least 1; a request for more than max_active runs alone, one for more than its lane or
        class may take takes those. Raises ValueError when time would go back, as every event does.
        """
        self.advance(now_s)
        self.arrived += 1
        ticket = Ticket(now_s, slots, request, owner)
        if self._sharing is not None:
            self._offer_in_lane(ticket, self._sharing, now_s)
        elif self._runs_at_once(slots, request):
            self._start(ticket, now_s, self._fitting(slots))
        elif (refused := self.refusal(now_s, slots, request)) is not None:
            ticket.state = refused
        else:
            self._by_arrival[ticket] = None
            self._line.push(ticket)
            # The next waiter is wide and does not fit; a newcomer that the order puts before it may.
            if self._line.peek() is ticket:
                self._hand_over(now_s)
        return ticket

    def release(self, ticket: Ticket, now_s: float) -> Change:
        """A running request ended, however it ended; its slots go to whoever is next.

        Raises ValueError for a ticket that does not run.
        """
        if ticket.state is not State.RUNNING:
            raise ValueError(f"release of a ticket that does not run: {ticket!r}")
        self.advance(now_s)
        ticket.state = State.RELEASED
        self.active -= ticket.held
        self.running -= 1
        if self._sharing is not None:
            self._sharing.release(ticket)
        if self.pool is not None:
            self.pool.give_back(ticket)
        return self._hand_over(now_s)

    def correct(self, ticket: Ticket, tokens: float, now_s: float) -> None:
        """What a running request really costs its lane, tokens of prompt and answer: known when the engine
        told its usage, or when the client has left. At most once per ticket, before its release. Nobody
        starts by it, so time need not have come to `now_s`.
        """
        if self._sharing is not None:
            self._sharing.correct(ticket, tokens, now_s)

    def hold(self, ticket: Ticket, kv_tokens: float, now_s: float) -> Change:
        """What a running request really needs of the KV cache: if it is less, others may start."""
        self.advance(now_s)
        if self.pool is not None:
            self.pool.correct(ticket, kv_tokens)
        return self._hand_over(now_s)

    def leave(self, ticket: Ticket, now_s: float) -> Change:
        """A waiter went away; the others keep their order. Raises ValueError for one that does not wait."""
        if ticket.state is not State.WAITING:
            raise ValueError(f"leave of a ticket that does not wait: {ticket!r}")
        self.advance(now_s)
        self._take_out(ticket, State.LEFT)
        return self._hand_over(now_s)

    def expire(self, now_s: float) -> Change:
        """Ends every waiter whose patience is over at `now_s`."""
        if now_s < self.next_deadline_s:
            return NOTHING
        self.advance(now_s)
        granted, ended = self._tell()
        while now_s >= self.next_deadline_s:
            ticket = next(iter(self._by_arrival))
            self._take_out(ticket, State.QUEUE_TIMEOUT)
            ended.append(ticket)
        return Change([*granted, *self._hand_over(now_s).granted], ended)

    def resize(self, limits: Limits, now_s: float) -> Change:
        """New limits from now on. While more run than a smaller limit allows, none is started.

        Waiters beyond a smaller queue_max, or present when the mode becomes `reject`, keep their places: both
        are for newcomers. A shorter queue_timeout_s holds for all: the waiters it ends are in the answer.
        """
        self.advance(now_s)
        reordered = limits.queue_order is not self.limits.queue_order
        self.limits = limits
        if reordered or self._sharing is not None:
            self._line_up(now_s)
        expired = self.expire(now_s)
        return Change([*expired.granted, *self._hand_over(now_s).granted], expired.ended)

    def relane(self, lanes: Lanes, now_s: float) -> Change:
        """New lanes from now on. Running requests of a lane that is no more count for the one of unknown
        requests, those that began without lanes for none. Waiters keep their places, whatever the new bounds.
        """
        self.advance(now_s)
        self.lanes = lanes
        self._line_up(now_s)
        return self._hand_over(now_s)

    def limit_tokens(self, kv_tokens: float | None, now_s: float, block_tokens: int = 1) -> Change:
        """From now on the slots have so many tokens together (None: no bound), in blocks: see `TokenPool`."""
        self.advance(now_s)
        self.pool = None if kv_tokens is None else TokenPool(kv_tokens, self.pool, block_tokens)
        if self._sharing is not None:
            self._sharing.pool = self.pool
        return self._hand_over(now_s)

    def drain(self, now_s: float) -> Change:
        """The process is stopping: every waiter and every newcomer is refused, running requests finish."""
        self.advance(now_s)
        self.draining = True
        for ticket in (waiting := list(self._by_arrival)):
            self._take_out(ticket, State.DRAINING)
        granted, ended = self._tell()
        return Change(granted, [*ended, *waiting])

    def advance(self, now_s: float) -> None:
        """Brings the time integrals to `now_s`. Raises ValueError when time would go back."""
        elapsed_s = now_s - self._now_s
        if elapsed_s < 0:
            raise ValueError(f"time went back by {-elapsed_s} s")
        self._now_s = now_s
        queued = len(self._by_arrival)
        self.active_seconds += self.active * elapsed_s
        self.queue_seconds += queued * elapsed_s
        if queued and queued >= self.limits.queue_max:
            self.queue_full_seconds += elapsed_s

    def _runs_at_once(self, slots: int, request: RequestFacts) -> bool:
        if self.pool is not None and not self.pool.fits(request):
            return False
        free = self.limits.max_active - self.active
        fits = slots <= free or (free > 0 and free == self.limits.max_active)
        return fits and not self._by_arrival and not self.draining

    def _fitting(self, slots: int) -> int:
        return min(slots, self.limits.max_active)

    def _offer_in_lane(self, ticket: Ticket, sharing: Sharing, now_s: float) -> None:
        lane = sharing.lane_of(ticket.request)
        if lane.within_s is not None and ticket.request.due_s == inf:
            ticket.request = ticket.request._replace(due_s=now_s + lane.within_s)
        free = self.limits.max_active - self.active
        if self.draining or (lane.bucket is not None and lane.over_budget(now_s)):
            ticket.state = State.DRAINING if self.draining else State.OVER_BUDGET
        elif held := sharing.slots_at_once(lane, ticket.request, ticket.slots, free):
            sharing.start(ticket, lane, held, now_s)
            self._start(ticket, now_s, held)
        elif (refused := sharing.no_place(lane)) is not None:
            ticket.state = refused
        else:
            if len(self._by_arrival) >= self.limits.queue_max and (longest := sharing.gives_way_to(lane)):
                self._take_out(longest, State.REJECTED_FULL)
                self._untold.append(longest)
            self._by_arrival[ticket] = None
            sharing.join(ticket, lane, now_s)
            if free > 0:
                # It may fit where a wide one, behind it now, did not; others may where a wide one has left.
                self._untold += [other for other in self._hand_over(now_s).granted if other is not ticket]

    def _tell(self) -> tuple[list[Ticket], list[Ticket]]:
        untold, self._untold = self._untold, []
        started = [ticket for ticket in untold if ticket.state is State.RUNNING]
        return started, [ticket for ticket in untold if ticket.state is not State.RUNNING]

    def _start(self, ticket: Ticket, now_s: float, held: int) -> None:
        ticket.state = State.RUNNING
        ticket.granted_s = now_s
        ticket.held = held
        self.active += held
        self.running += 1
        if self.pool is not None:
            self.pool.take(ticket)

    def _take_out(self, ticket: Ticket, state: State) -> None:
        del self._by_arrival[ticket]
        if self._sharing is None:
            self._line.remove(ticket)
        else:
            self._sharing.remove(ticket, self._now_s)
        ticket.state = state

    def _line_up(self, now_s: float) -> None:
        """Those who wait, in a new line for the limits and lanes in force."""
        self._line, before, waiting = self._orders[self.limits.queue_order](), self._sharing, self._by_arrival
        self._sharing = None
        if self.lanes.shared:
            self._sharing = Sharing(self.lanes, self.limits, self._orders, now_s, before, waiting)
            self._sharing.pool = self.pool
        else:
            for ticket in waiting:
                self._line.push(ticket)

    def _hand_over(self, now_s: float) -> Change:
        if not self._by_arrival:
            return NOTHING
        granted = []
        if self._sharing is not None:
            while (ticket := self._sharing.next(self.limits.max_active - self.active)) is not None:
                del self._by_arrival[ticket]
                self._start(ticket, now_s, self._sharing.grant(ticket))
                granted.append(ticket)
            return Change(granted, ())
        while (ticket := self._line.peek()) is not None:
            held = self._fitting(ticket.slots)
            fits = self.pool is None or self.pool.fits(ticket.request)
            if held > self.limits.max_active - self.active or not fits:
                break
            self._take_out(ticket, State.RUNNING)
            self._start(ticket, now_s, held)
            granted.append(ticket)
        return Change(granted, ())
