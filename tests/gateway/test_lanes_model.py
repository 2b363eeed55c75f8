"""The core with lanes against the plain rules; Hypothesis searches for a difference."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.admission import Admission
from gateway.lane import Lane, Lanes, PriorityClass
from gateway.limits import Limits, QueueMode, QueueOrder
from gateway.ticket import Change, RequestFacts, State, Ticket
from tests.gateway.plain_lanes import Plain, PlainLanes

LARGEST = 8.0  # tokens of a request
NAMES = ("a/first", "b/first", "c/first", "d/last", "e/last")
LIVE = (State.RUNNING, State.WAITING)


@st.composite
def some_lanes(draw: st.DrawFn) -> Lanes:
    """Lanes in two classes, bounded or not; sometimes one is missing."""
    classes = tuple(PriorityClass(name, draw(st.sampled_from([0, 0, 1, 3]))) for name in ("first", "last"))
    lanes = [
        Lane(
            name.partition("/")[0],
            name.partition("/")[2],
            weight=draw(st.sampled_from([1.0, 2.0, 4.0])),
            slots_max=draw(st.sampled_from([None, None, 1, 2])),
            queue_max=draw(st.sampled_from([None, None, 0, 1])),
            tokens_per_min=draw(st.sampled_from([None, None, 7.5])),
        )
        for name in NAMES
    ]
    return Lanes(classes, tuple(lanes[draw(st.sampled_from([0, 0, 1])) :]))


@dataclass(eq=False)
class Wait:
    """Of one waiter: the tokens that others of its class were granted meanwhile, and the most they may be."""

    passed: float
    bound: float


class LanesMachine(RuleBasedStateMachine):
    """Both are driven with the same events; after each they must agree about every request."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.pairs: dict[Ticket, Plain] = {}
        self.corrected: set[Ticket] = set()
        self.told: dict[Ticket, int] = {}
        self.waits: dict[Plain, Wait] = {}

    @initialize(
        lanes=some_lanes(),
        max_active=st.integers(1, 4),
        queue_max=st.integers(0, 5),
        order=st.sampled_from(QueueOrder),
    )
    def begin(self, lanes: Lanes, max_active: int, queue_max: int, order: QueueOrder) -> None:
        limits = Limits(max_active=max_active, queue_max=queue_max, queue_timeout_s=4.0, queue_order=order)
        self.core = Admission(limits, lanes=lanes)
        self.plain = PlainLanes(limits, lanes)

    def live(self, state: State) -> list[Ticket]:
        return [ticket for ticket in self.pairs if ticket.state is state]

    def tell(self, change: Change, expected: list[Plain]) -> None:
        """Those who were granted a slot, in the order of the rules; everybody is told once."""
        for ticket in (*change.granted, *change.ended):
            self.told[ticket] = self.told.get(ticket, 0) + 1
        assert [self.pairs[ticket] for ticket in change.granted] == expected
        for plain in expected:
            self.granted(plain)

    def granted(self, plain: Plain) -> None:
        """Who waits sees the others of its class pass."""
        self.waits.pop(plain, None)
        mine = self.plain.lane_of(plain)
        for other, wait in self.waits.items():
            lane = self.plain.lane_of(other)
            if lane is not mine and lane.index == mine.index:
                wait.passed += plain.facts.cost_tokens

    @rule(
        lane=st.sampled_from([*NAMES, "of/nobody"]),
        slots=st.sampled_from([1, 1, 1, 2, 4]),
        cost=st.sampled_from([1.0, 2.0, 5.0, LARGEST]),
        due_s=st.sampled_from([0.0, 3.0, inf]),
    )
    def offer(self, lane: str, slots: int, cost: float, due_s: float) -> None:
        facts = RequestFacts(lane=lane, cost_tokens=cost, due_s=due_s)
        foretold = self.core.refusal(self.now_s, slots, facts)
        ticket = self.core.offer(self.now_s, slots, facts)
        told = self.core.expire(self.now_s) if self.core.next_deadline_s <= self.now_s else Change()
        assert len(told.ended) <= 1
        displaced = self.pairs[told.ended[0]] if told.ended else None
        plain, others = self.plain.offer(self.now_s, slots, facts, displaced)
        self.pairs[ticket] = plain
        assert foretold == (None if ticket.state in LIVE else ticket.state)
        if ticket.state is State.RUNNING:
            self.granted(plain)
        elif ticket.state is State.WAITING:
            self.waits[plain] = Wait(0.0, self.bound(plain))
        self.tell(told, others)
        self.waits = {each: wait for each, wait in self.waits.items() if each.state is State.WAITING}

    def bound(self, plain: Plain) -> float:
        """Tokens that the other lanes of its class may be granted before it: in rounds, what its own lane has
        waiting, and a largest request of either side.
        """
        lane = self.plain.lane_of(plain)
        if self.core.limits.queue_order is not QueueOrder.FAIR or lane.lane.slots_max is not None:
            return inf
        mine = sum(each.facts.cost_tokens for each in self.plain.of(State.WAITING, lane)) + LARGEST
        owed = max(0.0, lane.round - self.plain.rounds[lane.lane.priority_class])
        others = [each.lane.weight for each in self.plain.lanes.values() if each.index == lane.index]
        return sum(w * (owed + mine / lane.lane.weight) + LARGEST for w in others)

    @precondition(lambda self: self.live(State.RUNNING))
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.live(State.RUNNING)))
        self.tell(
            self.core.release(ticket, self.now_s),
            self.plain.end(self.pairs[ticket], State.RELEASED, self.now_s),
        )

    @precondition(lambda self: self.live(State.WAITING))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.live(State.WAITING)))
        self.tell(
            self.core.leave(ticket, self.now_s), self.plain.end(self.pairs[ticket], State.LEFT, self.now_s)
        )
        self.waits.pop(self.pairs[ticket], None)

    @precondition(lambda self: set(self.live(State.RUNNING)) - self.corrected)
    @rule(data=st.data(), tokens=st.sampled_from([0.0, 1.0, 4.0, 16.0]))
    def correct(self, data: st.DataObject, tokens: float) -> None:
        ticket = data.draw(st.sampled_from([t for t in self.live(State.RUNNING) if t not in self.corrected]))
        self.corrected.add(ticket)
        self.core.correct(ticket, tokens, self.now_s)
        self.plain.correct(self.pairs[ticket], tokens, self.now_s)
        mine = self.plain.lane_of(self.pairs[ticket])
        more = max(1.0, tokens) - ticket.request.cost_tokens
        for each, wait in self.waits.items():
            lane = self.plain.lane_of(each)
            if lane is mine:
                weights = sum(o.lane.weight for o in self.plain.lanes.values() if o.index == lane.index)
                wait.bound += max(0.0, more) * weights / lane.lane.weight
            elif lane.index == mine.index:
                wait.bound += max(0.0, -more)

    @rule(elapsed_s=st.sampled_from([0.5, 1.0, 4.0, 16.0]))
    def time_passes(self, elapsed_s: float) -> None:
        self.now_s += elapsed_s
        self.tell(self.core.expire(self.now_s), self.plain.expire(self.now_s))
        self.waits = {each: wait for each, wait in self.waits.items() if each.state is State.WAITING}

    @rule(
        max_active=st.integers(1, 5),
        queue_max=st.integers(0, 5),
        mode=st.sampled_from(QueueMode),
        order=st.sampled_from(QueueOrder),
    )
    def resize(self, max_active: int, queue_max: int, mode: QueueMode, order: QueueOrder) -> None:
        limits = self.core.limits.changed(
            max_active=max_active, queue_max=queue_max, queue_mode=mode, queue_order=order
        )
        change = self.core.resize(limits, self.now_s)
        self.plain.limits = limits
        self.plain.lay(self.plain.spec, self.now_s)
        self.waits.clear()
        self.tell(change, self.plain.hand_over())

    @rule(lanes=some_lanes())
    def relane(self, lanes: Lanes) -> None:
        change = self.core.relane(lanes, self.now_s)
        self.plain.lay(lanes, self.now_s)
        self.waits.clear()
        self.tell(change, self.plain.hand_over())

    @precondition(lambda self: len(self.pairs) > 8)
    @rule()
    def drain(self) -> None:
        self.tell(self.core.drain(self.now_s), [])
        self.plain.drain(self.now_s)
        self.waits.clear()

    @invariant()
    def both_agree(self) -> None:
        assert [t.state for t in self.pairs] == [plain.state for plain in self.pairs.values()]
        assert [t.held for t in self.pairs] == [plain.held for plain in self.pairs.values()]
        assert self.core.active == self.plain.held()
        for use in self.core.uses:
            lane = self.plain.lanes[use.lane.name]
            assert (use.held, use.waiting) == (self.plain.held(lane), len(self.plain.of(State.WAITING, lane)))
            assert self.core.budget_wait_s(use.lane.name, self.now_s) == pytest.approx(
                max(0.0, -lane.left(self.now_s)) * 60 / (use.lane.tokens_per_min or 1.0)
            )

    @invariant()
    def nothing_is_lost(self) -> None:
        """Offered = ended + running + waiting, in all and over the lanes; each ended waiter is told once."""
        alive = [ticket for ticket in self.pairs if ticket.state in LIVE]
        assert self.core.arrived == len(self.pairs)
        assert len(alive) == self.core.running + self.core.queued
        assert self.core.queued == sum(use.waiting for use in self.core.uses)
        assert self.core.active == sum(use.held for use in self.core.uses)
        assert all(count == 1 for count in self.told.values())

    @invariant()
    def a_slot_that_a_waiter_may_take_is_taken(self) -> None:
        assert self.plain.next() is None

    @invariant()
    def every_wait_has_a_bound(self) -> None:
        """Fair: however much the others want, and whatever they say that it costs."""
        assert all(wait.passed <= wait.bound + 1e-6 for wait in self.waits.values())


LanesMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


class TestLanes(LanesMachine.TestCase):  # type: ignore[misc, valid-type]  # Hypothesis makes this class at run time
    """Priority, reserved slots, fair shares, bounds and budgets, under every mix of events."""
