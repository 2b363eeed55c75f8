"""Slots in tokens: never more outstanding at a start than the budget and one request; nobody is overtaken."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.admission import Admission
from gateway.lane import NO_LANES, Lane, Lanes, PriorityClass
from gateway.limits import Limits, QueueOrder
from gateway.ticket import Change, RequestFacts, State, Ticket

BUDGET = 100.0
RANKED = Lanes((PriorityClass("urgent"), PriorityClass("batch")), (Lane("a", "urgent"), Lane("b", "batch")))
FLOOR = Lanes((PriorityClass("urgent"), PriorityClass("batch", 1)), RANKED.lanes)


def pooled(lanes: Lanes = NO_LANES, max_active: int = 10, budget: float = BUDGET) -> Admission:
    core = Admission(Limits(max_active=max_active), lanes=lanes)
    core.limit_tokens(budget, 0.0)
    return core


def offer(core: Admission, tokens: float, lane: str = "", output: float = 0.0) -> Ticket:
    return core.offer(0.0, request=RequestFacts(lane=lane, kv_tokens=tokens, kv_output=output))


@pytest.mark.parametrize("lanes", [NO_LANES, RANKED], ids=["no lanes", "lanes"])
def test_what_does_not_fit_waits_and_is_not_overtaken(lanes: Lanes) -> None:
    """A smaller one behind it would fit."""
    core = pooled(lanes)
    first, second, small = (
        offer(core, 60, "a/urgent"),
        offer(core, 50, "a/urgent"),
        offer(core, 10, "a/urgent"),
    )
    below = offer(core, 10, "b/batch")
    assert [t.state for t in (first, second, small, below)] == [State.RUNNING] + [State.WAITING] * 3
    assert core.release(first, 1.0).granted == [second, small, below]


def test_a_cache_is_given_out_in_blocks() -> None:
    """What a request needs is whole blocks, also when it was set right."""
    core = Admission(Limits(max_active=10))
    core.limit_tokens(100.0, 0.0, 32)
    first, second, third = offer(core, 33), offer(core, 1), offer(core, 1)
    assert [t.state for t in (first, second, third)] == [State.RUNNING, State.RUNNING, State.WAITING]
    assert core.hold(first, 31, 1.0).granted == [third]


def test_answers_are_not_all_at_their_full_length_at_once() -> None:
    """Of many one more may start than the budget holds at full length, of few none, and never two."""
    many = pooled(budget=1600.0, max_active=100)
    states = [offer(many, 40, output=20).state for _ in range(60)]
    assert states.count(State.RUNNING) == 1600 // 40 + 1
    few = pooled(budget=100.0)
    assert [offer(few, 40, output=40).state for _ in range(3)].count(State.RUNNING) == 2


@pytest.mark.parametrize("lanes", [NO_LANES, RANKED], ids=["no lanes", "lanes"])
def test_one_larger_than_the_budget_runs_alone(lanes: Lanes) -> None:
    """It waits until nothing runs, and everybody waits for it."""
    core = pooled(lanes)
    first, large, after = offer(core, 10), offer(core, 500), offer(core, 10)
    assert core.release(first, 1.0).granted == [large]
    assert after.state is State.WAITING
    assert core.release(large, 2.0).granted == [after]


def test_a_need_that_was_wrong_is_set_right() -> None:
    """Less starts others at once; more lets nobody start until it fits again."""
    core = pooled()
    first, second, third = offer(core, 60), offer(core, 60), offer(core, 60)
    assert core.hold(first, 30, 1.0).granted == [second]
    assert core.hold(second, 120, 2.0).granted == []
    assert core.release(first, 3.0).granted == []
    assert core.release(second, 4.0).granted == [third]


def test_a_budget_comes_grows_and_goes() -> None:
    """Those that run keep what they hold; those that began before hold nothing."""
    core = Admission(Limits(max_active=3))
    before = offer(core, 60)
    core.limit_tokens(50.0, 0.0)
    first, second, third = (offer(core, 40) for _ in range(3))
    assert (before.state, first.state, second.state) == (State.RUNNING, State.RUNNING, State.WAITING)
    assert core.limit_tokens(80.0, 2.0).granted == [second]
    assert core.release(before, 3.0).granted == []
    assert core.limit_tokens(None, 4.0).granted == [third]


def test_a_large_one_on_a_reserved_slot_is_not_starved() -> None:
    """However many urgent ones come: when what runs has ended it is its turn."""
    core = pooled(FLOOR)
    running = [offer(core, 30, "a/urgent") for _ in range(3)]
    large = offer(core, 500, "b/batch")
    urgent = [offer(core, 10, "a/urgent") for _ in range(5)]
    assert {ticket.state for ticket in (large, *urgent)} == {State.WAITING}
    for ticket in running[:2]:
        assert core.release(ticket, 1.0).granted == []
    assert core.release(running[2], 2.0).granted == [large]
    assert core.release(large, 3.0).granted == urgent


class PoolMachine(RuleBasedStateMachine):
    """Offers, ends, corrections and new budgets, with lanes and without."""

    @initialize(lanes=st.sampled_from([NO_LANES, RANKED, FLOOR]), order=st.sampled_from(QueueOrder))
    def begin(self, lanes: Lanes, order: QueueOrder) -> None:
        self.core = Admission(Limits(max_active=20, queue_max=5, queue_order=order), lanes=lanes)
        self.core.limit_tokens(BUDGET, 0.0)
        self.budget = BUDGET
        self.held: dict[Ticket, float] = {}
        self.waiting: list[Ticket] = []

    def started(self, tickets: list[Ticket]) -> None:
        """Each had room, or ran alone."""
        for ticket in tickets:
            need = ticket.request.kv_tokens
            outputs = [one.request.kv_output for one in (*self.held, ticket)]
            empty = sum(outputs) / 2 - 5.5 * math.sqrt(sum(one**2 for one in outputs) / 12)
            held = sum(self.held.values())
            assert not self.held or held + need <= self.budget + max(0.0, min(empty, need)) + 1e-6
            self.held[ticket] = need
            self.waiting.remove(ticket)

    def tell(self, change: Change) -> None:
        for ticket in change.ended:
            self.waiting.remove(ticket)
        self.started(list(change.granted))

    @rule(
        tokens=st.sampled_from([0.0, 2.0, 10.0, 40.0, 90.0, 300.0]),
        lane=st.sampled_from(["a/urgent", "b/batch"]),
        answer=st.sampled_from([0.0, 0.5, 1.0]),
    )
    def offer(self, tokens: float, lane: str, answer: float) -> None:
        ticket = offer(self.core, tokens, lane, answer * tokens)
        self.waiting.append(ticket)
        if ticket.state is State.RUNNING:
            self.started([ticket])
        elif ticket.state is not State.WAITING:
            self.waiting.remove(ticket)
        if self.core.next_deadline_s <= 0.0:
            self.tell(self.core.expire(0.0))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(list(self.held)))
        del self.held[ticket]
        self.tell(self.core.release(ticket, 0.0))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(ticket)
        self.tell(self.core.leave(ticket, 0.0))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), tokens=st.sampled_from([0.0, 20.0, 150.0]))
    def correct(self, data: st.DataObject, tokens: float) -> None:
        ticket = data.draw(st.sampled_from(list(self.held)))
        self.held[ticket] = tokens
        self.tell(self.core.hold(ticket, tokens, 0.0))

    @rule(budget=st.sampled_from([50.0, BUDGET, 200.0]))
    def change(self, budget: float) -> None:
        self.budget = budget
        self.tell(self.core.limit_tokens(budget, 0.0))

    @invariant()
    def somebody_runs_while_anybody_waits(self) -> None:
        assert self.core.running == len(self.held)
        assert self.core.queued == len(self.waiting)
        assert self.held or not self.waiting


PoolMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


class TestPool(PoolMachine.TestCase):  # type: ignore[misc, valid-type]  # Hypothesis makes this class at run time
    """Budget, progress and conservation, under every mix of events."""
