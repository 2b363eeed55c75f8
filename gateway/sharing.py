"""How lanes share the slots: between classes by priority, inside a class by tokens or by the queue order.

Between classes: non-preemptive priority with reserved slots. A free slot goes to the most urgent class with a
waiter that may take it; a reserved one only to the class it is reserved for. A request for more slots than
its class can take now makes everybody behind it wait, but for those on reserved slots of their own.

Inside a class, `fair`: deficit round robin (Shreedhar and Varghese, 1996) with a quantum of one token times
the lane's weight, in which a lane may go into debt: it starts a request when it owes nothing, and is then
charged the request's tokens. So a wrong estimate is set right when the cost is known, and a cost that nobody
knew is paid afterwards. Rounds in which nobody could start are not walked through: `LaneState.round` is the
one in which a lane will be out of debt, and a heap knows the lowest. In the limit of small quanta this is
start-time fair queueing (Goyal, Vin and Cheng, 1996), and their bound holds for tokens as charged: while two
lanes both have waiters that may start, their tokens / weight differ by at most the sum of the largest
request / weight of both. A lane that had nothing to send has saved nothing. In the other orders the next one
of all lanes of the class goes first.

A lane that holds all the slots that it may has no waiter that may start. Everything costs O(classes +
log lanes), and O(lanes + waiters · log lanes) when limits or lanes change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.giving_way import longest_of
from gateway.lane import Lane, Lanes
from gateway.lane_state import ClassState, LaneState, class_states
from gateway.limits import Limits, QueueMode, QueueOrder
from gateway.orders import OldestFirst, Orders
from gateway.ticket import RequestFacts, State, Ticket
from gateway.token_pool import TokenPool


class LaneUse(NamedTuple):
    """What a lane has now: slots held, requests waiting, and the tokens it was charged since it is there."""

    lane: Lane
    held: int
    waiting: int
    tokens: float


class Sharing:
    """Decides who of the waiters starts next; `Admission` drives it and knows the bounds of all.

    now_s: of the event. before, waiting: what it replaces, and who waits, in order of arrival. Requests that
    run, debts and budgets are taken over.
    """

    def __init__(
        self,
        lanes: Lanes,
        limits: Limits,
        orders: Orders,
        now_s: float,
        before: Sharing | None = None,
        waiting: Iterable[Ticket] = (),
    ) -> None:
        self._limits = limits
        self._fair = limits.queue_order is QueueOrder.FAIR
        self._classes = class_states(lanes.classes, limits.max_active)
        self._kept = sum(each.reserved for each in self._classes)  # reserved and unused
        classes = {each.name: each for each in self._classes}
        order = orders[limits.queue_order]
        self._lanes = {
            lane.name: LaneState(
                lane, classes[lane.priority_class], None if order is OldestFirst else order(), now_s
            )
            for lane in lanes.lanes
        }
        self.pool: TokenPool | None = None
        self._claim: Ticket | None = None
        self._unknown = self._lanes[lanes.unknown.name]
        self._live: dict[Ticket, LaneState] = {}
        self._waiting = 0
        if before is not None:
            self._take_over(before, classes, now_s)
        for ticket in waiting:
            self._stand_in_line(ticket, self.lane_of(ticket.request))

    @property
    def uses(self) -> Sequence[LaneUse]:
        """Of each lane, in the order of the lanes."""
        return [
            LaneUse(each.lane, each.held, len(each.arrived), each.tokens) for each in self._lanes.values()
        ]

    def lane_of(self, request: RequestFacts) -> LaneState:
        """The lane that a request names, or the one for all others."""
        return self._lanes.get(request.lane) or self._unknown

    def budget_wait_s(self, request: RequestFacts, now_s: float) -> float:
        """See `Admission.budget_wait_s`."""
        bucket = self.lane_of(request).bucket
        return 0.0 if bucket is None else bucket.wait_s(now_s)

    def refusal(self, request: RequestFacts, slots: int, free: int, now_s: float) -> State | None:
        """How a newcomer would be refused with `free` slots; None: it would run or wait."""
        lane = self.lane_of(request)
        if lane.bucket is not None and lane.over_budget(now_s):
            return State.OVER_BUDGET
        return None if self.slots_at_once(lane, request, slots, free) else self.no_place(lane)

    def no_place(self, lane: LaneState) -> State | None:
        """How a newcomer of this lane that cannot run is refused; None: there is a place for it to wait."""
        if self._limits.queue_mode is QueueMode.REJECT:
            return State.REJECTED_MODE
        most = lane.lane.queue_max
        if most is not None and len(lane.arrived) >= most:
            return State.REJECTED_FULL
        crowded = self._waiting >= self._limits.queue_max
        return State.REJECTED_FULL if crowded and longest_of(self._classes, lane) is None else None

    def slots_at_once(self, lane: LaneState, request: RequestFacts, slots: int, free: int) -> int:
        """The slots with which a newcomer would start now, without overtaking anybody who waits and may
        start; 0: it would not.
        """
        if free <= 0 or lane.arrived:
            return 0
        own = lane.of_class
        need = slots if slots == 1 else self._need(lane, slots)
        if need > free or lane.held + need > lane.slots_max:
            return 0
        if self.pool is not None and not (self.pool.fits(request) and self._tokens_are_free(own, self.pool)):
            return 0
        room = free - self._kept
        for each in self._classes if self._waiting else ():
            if each.first() is not None:  # and does not fit, or it would run
                if each is own:
                    return 0
                room = 0
            if each is own:
                break
        return need if need <= (room if room > 0 else 0) + own.unused else 0

    def next(self, free: int) -> Ticket | None:
        """The waiter that starts next with `free` slots; None when nobody may."""
        if free <= 0:
            return None
        if self.pool is not None and (claim := self._claimant(self.pool)) is not None:
            return claim if self.pool.fits(claim.request) else None
        room = max(0, free - self._kept)
        for each in self._classes:
            lane = each.first()
            if lane is not None and lane.head is not None:
                if lane.need <= free and lane.need <= room + each.unused:
                    # Who waits for tokens is not overtaken, also not from below.
                    return lane.head if self.pool is None or self.pool.fits(lane.head.request) else None
                room = 0
        return None

    def gives_way_to(self, lane: LaneState) -> Ticket | None:
        """Who has to leave a full queue for one more waiter of `lane`; None: nobody has to."""
        longest = longest_of(self._classes, lane)
        return None if longest is None else next(reversed(longest.arrived))

    def start(self, ticket: Ticket, lane: LaneState, held: int, now_s: float) -> None:
        """A newcomer runs at once, on so many slots."""
        self._live[ticket] = lane
        if lane.round < lane.of_class.round:
            lane.round = lane.of_class.round
        if lane.bucket is not None:
            lane.bucket.take(_cost(ticket), now_s)
        self._run(ticket, lane, held)

    def join(self, ticket: Ticket, lane: LaneState, now_s: float) -> None:
        """A newcomer waits."""
        if lane.bucket is not None:
            lane.bucket.take(_cost(ticket), now_s)
        self._stand_in_line(ticket, lane)

    def grant(self, ticket: Ticket) -> int:
        """A waiter, as `next` said, runs, on so many slots."""
        lane = self._live[ticket]
        self._leave_line(ticket, lane)
        held = lane.need
        self._run(ticket, lane, held)
        self._refresh(lane)
        return held

    def remove(self, ticket: Ticket, now_s: float) -> None:
        """A waiter ends without having run, and its lane gets the tokens back."""
        lane = self._live.pop(ticket)
        self._leave_line(ticket, lane)
        self._refresh(lane)
        if lane.bucket is not None:
            lane.bucket.take(-_cost(ticket), now_s)

    def release(self, ticket: Ticket) -> None:
        """A running request ended. One that began before there were lanes was in none."""
        lane = self._live.pop(ticket, None)
        if lane is not None:
            self._hold(lane, -ticket.held)
            if lane.arrived and lane.entry is None:
                self._refresh(lane)

    def correct(self, ticket: Ticket, tokens: float, now_s: float) -> None:
        """A running request costs `tokens`, not what was estimated: at most once per ticket."""
        lane = self._live.get(ticket)
        if lane is None:
            return
        more = (tokens if tokens > 1.0 else 1.0) - _cost(ticket)
        lane.tokens += more
        lane.round += more / lane.weight
        if lane.bucket is not None:
            lane.bucket.take(more, now_s)
        if lane.entry is not None and more and self._fair:
            lane.of_class.enter(lane, lane.round)

    def _claimant(self, pool: TokenPool) -> Ticket | None:
        """Who has a reserved slot and waits for tokens only: nobody else starts before it."""
        claim = self._claim
        if claim is None or (lane := self._live.get(claim)) is None or lane.head is not claim:
            self._claim = None
            for each in self._classes:
                lane = each.first() if each.unused else None
                if lane is None or lane.head is None or lane.need > each.unused:
                    continue
                if not pool.fits(lane.head.request):
                    self._claim = lane.head
                    break
        return self._claim

    def _tokens_are_free(self, own: ClassState, pool: TokenPool) -> bool:
        """Whether nobody waits for tokens whom a newcomer of this class would overtake."""
        if not self._waiting:
            return True
        if self._claimant(pool) is not None:
            return False
        heads = [
            lane.head for each in self._classes if (lane := each.first()) is not None and each is not own
        ]
        return all(head is None or pool.fits(head.request) for head in heads)

    def _need(self, lane: LaneState, slots: int) -> int:
        return slots if slots == 1 else int(min(slots, lane.of_class.cap, lane.slots_max))

    def _run(self, ticket: Ticket, lane: LaneState, held: int) -> None:
        self._hold(lane, held)
        own, cost = lane.of_class, _cost(ticket)
        if own.round < lane.round:
            own.round = lane.round
        lane.tokens += cost
        lane.round += cost / lane.weight

    def _hold(self, lane: LaneState, slots: int) -> None:
        own = lane.of_class
        lane.held += slots
        if own.reserved:
            own.held += slots
            unused = max(0, own.reserved - own.held)
            self._kept += unused - own.unused
            own.unused = unused

    def _stand_in_line(self, ticket: Ticket, lane: LaneState) -> None:
        self._live[ticket] = lane
        self._waiting += 1
        lane.arrived[ticket] = None
        if lane.line is not None:
            lane.line.push(ticket)
        lane.of_class.lengthen(lane)
        if lane.entry is None or lane.line is not None:
            self._refresh(lane)

    def _leave_line(self, ticket: Ticket, lane: LaneState) -> None:
        if lane.line is not None:
            lane.line.remove(ticket)
        del lane.arrived[ticket]
        lane.of_class.waiting -= 1
        self._waiting -= 1

    def _refresh(self, lane: LaneState) -> None:
        """Puts the lane where it now belongs in the line of its class."""
        head = next(iter(lane.arrived), None) if lane.line is None else lane.line.peek()
        if head is not None:
            lane.need = self._need(lane, head.slots)
        if head is None or lane.held + lane.need > lane.slots_max:
            lane.entry = lane.head = None
            return
        lane.head = head
        if not self._fair:
            rank = head.arrived_s if lane.line is None else lane.line.rank(head)
        else:
            if lane.entry is None and lane.round < lane.of_class.round:
                lane.round = lane.of_class.round
            rank = lane.round
        if lane.entry is None or lane.entry[0] != rank:
            lane.of_class.enter(lane, rank)

    def _take_over(self, before: Sharing, classes: dict[str, ClassState], now_s: float) -> None:
        for old in before._classes:
            if old.name in classes:
                classes[old.name].round = old.round
        for name, lane in self._lanes.items():
            was = before._lanes.get(name)
            if was is not None:
                lane.round, lane.tokens = was.round, was.tokens
                if lane.bucket is not None and was.bucket is not None:
                    lane.bucket.refill_from(was.bucket, now_s)
        for ticket in before._live:
            if ticket.state is State.RUNNING:
                self._live[ticket] = lane = self.lane_of(ticket.request)
                self._hold(lane, ticket.held)


def _cost(ticket: Ticket) -> float:
    cost = ticket.request.cost_tokens
    return cost if cost > 1.0 else 1.0
