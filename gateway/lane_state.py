"""What a lane and a priority class have at the moment: slots, waiters, and their place in the sharing."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Sequence
from math import inf

from gateway.lane import Lane, PriorityClass
from gateway.orders import Order
from gateway.ticket import Ticket
from gateway.token_bucket import TokenBucket


class LaneState:
    """One lane.

    held: slots of its running requests; tokens: what its requests were charged so far; arrived: its waiters,
    oldest first; line: the same in the order in which they are served, None where that is the same order.
    head: its next waiter, which takes `need` slots; entry: where the lane stands in its class's line; both
    None while it can start nothing. round: of its class, in which it may start its next request (see
    `sharing`); listed: its length in the list of long lanes.
    """

    __slots__ = (
        *("arrived", "bucket", "entry", "head", "held", "lane", "line", "listed"),
        *("need", "of_class", "round", "slots_max", "tokens", "weight", "within_s"),
    )

    def __init__(self, lane: Lane, of_class: ClassState, line: Order | None, now_s: float) -> None:
        self.lane = lane
        self.of_class = of_class
        self.line = line
        self.weight = lane.weight
        self.within_s = lane.within_s
        self.slots_max: float = inf if lane.slots_max is None else lane.slots_max
        self.bucket = None if lane.tokens_per_min is None else TokenBucket(lane.tokens_per_min, now_s)
        self.arrived: OrderedDict[Ticket, None] = OrderedDict()
        self.held = 0
        self.tokens = 0.0
        self.round = 0.0
        self.head: Ticket | None = None
        self.need = 0
        self.entry: tuple[float, int, LaneState] | None = None
        self.listed = 0.0

    def __repr__(self) -> str:
        return f"<LaneState {self.lane.name} [held {self.held} | waiting {len(self.arrived)}]>"

    def over_budget(self, now_s: float) -> bool:
        """Whether it has used more tokens than it may."""
        return self.bucket is not None and self.bucket.wait_s(now_s) > 0

    @property
    def length(self) -> float:
        """Its waiters for its weight: by this measure the longest lane has to give way in a full queue."""
        return len(self.arrived) / self.weight


class ClassState:
    """One priority class.

    reserved: slots that only it may take; unused: as many of them as it does not use; held: slots of all its
    lanes, counted where it has reserved some; waiting: waiters of all its lanes; round: of the lane that it
    served last; cap: the most slots that one of its requests can have.
    """

    __slots__ = (
        *("_line", "_long", "_most", "_serial"),
        *("cap", "held", "name", "reserved", "round", "unused", "waiting"),
    )

    def __init__(self, name: str, reserved: int, cap: int) -> None:
        self.name = name
        self.reserved = self.unused = reserved
        self.cap = cap
        self.held = self.waiting = 0
        self.round = 0.0
        self._serial = 0
        self._most = 64
        self._line: list[tuple[float, int, LaneState]] = []
        self._long: list[tuple[float, int, LaneState]] = []

    def first(self) -> LaneState | None:
        """The lane whose waiter is next, among those that could start one."""
        line = self._line
        while line:
            entry = line[0]
            if entry[2].entry is entry:
                return entry[2]
            heapq.heappop(line)
        return None

    def enter(self, lane: LaneState, rank: float) -> None:
        """Puts a lane where `rank` says, the lowest first, of equals the one that came first."""
        self._serial += 1
        lane.entry = entry = (rank, self._serial, lane)
        if len(self._line) > self._most:
            self._line = [kept for kept in self._line if kept[2].entry is kept]
            heapq.heapify(self._line)
            self._most = 2 * len(self._line) + 64
        heapq.heappush(self._line, entry)

    def lengthen(self, lane: LaneState) -> None:
        """One more waits in this lane."""
        self.waiting += 1
        length = len(lane.arrived) / lane.weight
        if length > lane.listed:
            self._list(lane, length)

    def longest(self) -> LaneState | None:
        """The lane with most waiters for its weight; None when nobody waits."""
        while self._long:
            listed, _, lane = self._long[0]
            if -listed == lane.listed == lane.length:
                return lane
            heapq.heappop(self._long)
            if -listed == lane.listed:  # some of them no longer wait
                lane.listed = 0.0
                if lane.arrived:
                    self._list(lane, lane.length)
        return None

    def _list(self, lane: LaneState, length: float) -> None:
        self._serial += 1
        lane.listed = length
        heapq.heappush(self._long, (-length, self._serial, lane))


def class_states(wanted: Sequence[PriorityClass], max_active: int) -> tuple[ClassState, ...]:
    """Their reserved slots together below max_active, so that each class can get one."""
    most, asked = max_active - 1, sum(each.slots_reserved for each in wanted)
    reserved = [
        each.slots_reserved if asked <= most else each.slots_reserved * most // asked for each in wanted
    ]
    others = max_active - sum(reserved)
    return tuple(
        ClassState(each.name, kept, others + kept) for each, kept in zip(wanted, reserved, strict=True)
    )
