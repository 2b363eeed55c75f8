"""Lanes as they are meant, recomputed from one list of requests at every event: slow, and easily read."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from gateway.lane import Lane, Lanes
from gateway.limits import Limits, QueueMode, QueueOrder
from gateway.ticket import RequestFacts, State


@dataclass(eq=False)
class Plain:
    """One request."""

    arrived_s: float
    slots: int
    facts: RequestFacts
    state: State = State.WAITING
    held: int = 0


@dataclass(eq=False)
class PlainLane:
    """round: up to which it has paid. rank and place: where it stands among the lanes of its class, since
    when; None while it can start nothing. level: tokens that it may still use, at a time.
    """

    lane: Lane
    index: int
    level: float
    at_s: float
    round: float = 0.0
    rank: float | None = None
    place: int = 0

    def use(self, tokens: float, now_s: float) -> None:
        self.level, self.at_s = min(self.left(now_s) - tokens, self.lane.tokens_per_min or inf), now_s

    def left(self, now_s: float) -> float:
        per_min = self.lane.tokens_per_min
        return inf if per_min is None else min(per_min, self.level + per_min / 60 * (now_s - self.at_s))


class PlainLanes:
    """All requests, lanes and classes."""

    def __init__(self, limits: Limits, lanes: Lanes) -> None:
        self.limits = limits
        self.everyone: list[Plain] = []
        self.draining = False
        self.rounds: dict[str, float] = {}
        self.lanes: dict[str, PlainLane] = {}
        self.places = 0
        self.lay(lanes, 0.0)

    def lay(self, spec: Lanes, now_s: float) -> None:
        """New lanes: of the same name, with the same debts."""
        self.spec = spec
        names = [each.name for each in spec.classes]
        before, self.lanes = self.lanes, {}
        self.rounds = {name: self.rounds.get(name, 0.0) for name in names}
        for lane in spec.lanes:
            new = PlainLane(lane, names.index(lane.priority_class), lane.tokens_per_min or inf, now_s)
            old = before.get(lane.name)
            if old is not None:
                new.round = old.round
                left, per_min = old.left(now_s), old.lane.tokens_per_min
                if left < inf and per_min is not None and lane.tokens_per_min is not None:
                    new.level = left if left < 0 else lane.tokens_per_min * left / per_min
            self.lanes[lane.name] = new
        waiting = self.of(State.WAITING)
        for plain in waiting:
            plain.state = State.LEFT
        for plain in waiting:
            plain.state = State.WAITING
            self.settle()

    def lane_of(self, plain: Plain) -> PlainLane:
        return self.lanes.get(plain.facts.lane) or self.lanes[self.spec.unknown.name]

    def of(self, state: State, lane: PlainLane | None = None, index: int | None = None) -> list[Plain]:
        return [
            plain
            for plain in self.everyone
            if plain.state is state
            and (lane is None or self.lane_of(plain) is lane)
            and (index is None or self.lane_of(plain).index == index)
        ]

    def held(self, lane: PlainLane | None = None, index: int | None = None) -> int:
        return sum(plain.held for plain in self.of(State.RUNNING, lane, index))

    def reserved(self, index: int) -> int:
        wanted, most = [each.slots_reserved for each in self.spec.classes], self.limits.max_active - 1
        return wanted[index] if sum(wanted) <= most else wanted[index] * most // sum(wanted)

    def unused(self, index: int) -> int:
        return max(0, self.reserved(index) - self.held(index=index))

    def need(self, plain: Plain) -> int:
        lane = self.lane_of(plain)
        others = sum(self.reserved(i) for i in range(len(self.spec.classes)) if i != lane.index)
        return int(min(plain.slots, self.limits.max_active - others, lane.lane.slots_max or inf))

    def head(self, lane: PlainLane) -> Plain | None:
        """Its next waiter, or None where that one, or none, may start."""
        waiting = self.of(State.WAITING, lane)
        if self.limits.queue_order is QueueOrder.LIFO:
            waiting.reverse()
        if self.limits.queue_order is QueueOrder.EDF:
            waiting.sort(key=lambda plain: plain.facts.due_s)
        if not waiting or self.held(lane) + self.need(waiting[0]) > (lane.lane.slots_max or inf):
            return None
        return waiting[0]

    def settle(self) -> None:
        """Every lane to where it belongs. One that can start a request again has saved nothing meanwhile."""
        for lane in self.lanes.values():
            head = self.head(lane)
            if head is None:
                lane.rank = None
                continue
            ranks = {QueueOrder.LIFO: -head.arrived_s, QueueOrder.EDF: head.facts.due_s}
            rank = ranks.get(self.limits.queue_order, head.arrived_s)
            if self.limits.queue_order is QueueOrder.FAIR:
                if lane.rank is None:
                    lane.round = max(lane.round, self.rounds[lane.lane.priority_class])
                rank = lane.round
            if lane.rank != rank:
                self.places += 1
                lane.rank, lane.place = rank, self.places

    def hand_over(self) -> list[Plain]:
        """Starts who may start, one after the other."""
        granted: list[Plain] = []
        self.settle()
        while (plain := self.next()) is not None:
            self.start(plain)
            granted.append(plain)
            self.settle()
        return granted

    def next(self) -> Plain | None:
        classes = range(len(self.spec.classes))
        free = self.limits.max_active - self.held()
        room = max(0, free - sum(map(self.unused, classes)))
        for index in classes:
            lanes = [lane for lane in self.lanes.values() if lane.index == index and lane.rank is not None]
            if lanes:
                plain = self.head(min(lanes, key=lambda lane: (lane.rank, lane.place)))
                assert plain is not None
                if self.need(plain) <= min(free, room + self.unused(index)):
                    return plain
                room = 0
        return None

    def start(self, plain: Plain) -> None:
        lane = self.lane_of(plain)
        name = lane.lane.priority_class
        if lane.rank is None:
            lane.round = max(lane.round, self.rounds[name])
        plain.state, plain.held = State.RUNNING, self.need(plain)
        self.rounds[name] = max(self.rounds[name], lane.round)
        lane.round += plain.facts.cost_tokens / lane.lane.weight

    # Events. Each says who was granted a slot, in order.

    def offer(
        self, now_s: float, slots: int, facts: RequestFacts, displaced: Plain | None
    ) -> tuple[Plain, list[Plain]]:
        """The newcomer, and others that start. displaced: who had to make room, one of those that may have
        to.
        """
        others: list[Plain] = []
        plain = Plain(now_s, slots, facts, State.LEFT)
        self.everyone.append(plain)
        lane, crowded = self.lane_of(plain), len(self.of(State.WAITING)) >= self.limits.queue_max
        most = inf if lane.lane.queue_max is None else lane.lane.queue_max
        if self.draining:
            plain.state = State.DRAINING
        elif lane.left(now_s) < -1e-6:
            plain.state = State.OVER_BUDGET
        elif self.may_start(plain):
            lane.use(facts.cost_tokens, now_s)
            self.start(plain)
        elif self.limits.queue_mode is QueueMode.REJECT:
            plain.state = State.REJECTED_MODE
        elif len(self.of(State.WAITING, lane)) >= most or (crowded and not self.gives_way(lane)):
            plain.state = State.REJECTED_FULL
        else:
            assert (displaced in self.gives_way(lane)) if crowded else (displaced is None)
            if displaced is not None:
                displaced.state = State.REJECTED_FULL
                self.lane_of(displaced).use(-displaced.facts.cost_tokens, now_s)
                self.settle()
            lane.use(facts.cost_tokens, now_s)
            plain.state = State.WAITING
            others = [each for each in self.hand_over() if each is not plain]
        return plain, others

    def may_start(self, plain: Plain) -> bool:
        """Whether a newcomer starts now: nobody of its lane waits, nobody of its class could start but for
        its width, and nobody more urgent claims the slots.
        """
        lane, need = self.lane_of(plain), self.need(plain)
        free = self.limits.max_active - self.held()
        claimed = [other.index for other in self.lanes.values() if other.rank is not None]
        kept = sum(map(self.unused, range(len(self.spec.classes))))
        room = 0 if any(index < lane.index for index in claimed) else free - kept
        return (
            not self.of(State.WAITING, lane)
            and lane.index not in claimed
            and self.held(lane) + need <= (lane.lane.slots_max or inf)
            and need <= min(free, max(0, room) + self.unused(lane.index))
        )

    def gives_way(self, lane: PlainLane) -> list[Plain]:
        """Those of whom one has to make room in a full queue."""
        own = len(self.of(State.WAITING, index=lane.index))
        for index in reversed(range(len(self.spec.classes))):
            lanes = [(self.length(each), each) for each in self.lanes.values() if each.index == index]
            longest = max((length for length, _ in lanes), default=0.0)
            newest = [self.of(State.WAITING, each)[-1] for length, each in lanes if length == longest > 0]
            if index == lane.index:
                if longest > self.length(lane, more=1):
                    return newest
                if own >= self.reserved(lane.index):
                    return []
            elif len(self.of(State.WAITING, index=index)) > self.reserved(index):
                return newest
        return []

    def length(self, lane: PlainLane, more: int = 0) -> float:
        return (len(self.of(State.WAITING, lane)) + more) / lane.lane.weight

    def end(self, plain: Plain, state: State, now_s: float) -> list[Plain]:
        if plain.state is State.WAITING:
            self.lane_of(plain).use(-plain.facts.cost_tokens, now_s)
        plain.state = state
        return self.hand_over()

    def correct(self, plain: Plain, tokens: float, now_s: float) -> None:
        lane, more = self.lane_of(plain), max(1.0, tokens) - plain.facts.cost_tokens
        lane.use(more, now_s)
        lane.round += more / lane.lane.weight
        self.settle()

    def expire(self, now_s: float) -> list[Plain]:
        for plain in self.of(State.WAITING):
            if now_s >= plain.arrived_s + self.limits.queue_timeout_s:
                plain.state = State.QUEUE_TIMEOUT
                self.lane_of(plain).use(-plain.facts.cost_tokens, now_s)
                self.settle()
        return self.hand_over()

    def drain(self, now_s: float) -> None:
        self.draining = True
        for plain in self.of(State.WAITING):
            plain.state = State.DRAINING
            self.lane_of(plain).use(-plain.facts.cost_tokens, now_s)
        self.settle()
