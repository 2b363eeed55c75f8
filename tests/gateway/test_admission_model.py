"""The admission core against a reference so plain that it can be read at
a glance; Hypothesis searches for a difference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.admission import Admission
from gateway.limits import Limits, QueueMode, QueueOrder
from gateway.orders import ORDERS, Orders
from gateway.ticket import RequestFacts, State, Ticket
from tests.gateway.shortest_prompt import ShortestPrompt

LIVE = (State.RUNNING, State.WAITING)


@dataclass(eq=False)
class Plain:
    """One request of the reference."""

    arrived_s: float
    slots: int
    prompt_bytes: int
    due_s: float
    held: int = 0
    state: State = State.WAITING


Rule = Callable[[list[Plain]], Plain]

RULES: dict[QueueOrder, Rule] = {
    QueueOrder.FIFO: lambda waiting: waiting[0],
    QueueOrder.LIFO: lambda waiting: waiting[-1],
    QueueOrder.EDF: lambda waiting: min(waiting, key=lambda plain: plain.due_s),
    QueueOrder.FAIR: lambda waiting: waiting[0],
}
"""Who is next of those who wait, in order of arrival."""


def shortest(waiting: list[Plain]) -> Plain:
    """The rule of an order that reads the request; of equals the oldest."""
    return min(waiting, key=lambda plain: plain.prompt_bytes)


class Reference:
    """Lists, recomputed from scratch at every event."""

    def __init__(self, limits: Limits, rules: dict[QueueOrder, Rule]) -> None:
        self.limits = limits
        self.rules = rules
        self.everyone: list[Plain] = []
        self.draining = False

    def of(self, state: State) -> list[Plain]:
        return [plain for plain in self.everyone if plain.state is state]

    def used(self) -> int:
        return sum(plain.held for plain in self.of(State.RUNNING))

    def needs(self, plain: Plain) -> int:
        return min(plain.slots, self.limits.max_active)

    def next_of(self, waiting: list[Plain]) -> Plain:
        return self.rules[self.limits.queue_order](waiting)

    def offer(self, now_s: float, slots: int, prompt_bytes: int, due_s: float) -> Plain:
        plain = Plain(now_s, slots, prompt_bytes, due_s)
        waiting = self.of(State.WAITING)
        self.everyone.append(plain)
        plain.state = State.WAITING
        if self.draining:
            plain.state = State.DRAINING
        elif not waiting and self.used() + self.needs(plain) <= self.limits.max_active:
            plain.state, plain.held = State.RUNNING, self.needs(plain)
        elif self.limits.queue_mode is QueueMode.REJECT:
            plain.state = State.REJECTED_MODE
        elif len(waiting) >= self.limits.queue_max:
            plain.state = State.REJECTED_FULL
        else:
            self.hand_over()
        return plain

    def hand_over(self) -> None:
        while waiting := self.of(State.WAITING):
            plain = self.next_of(waiting)
            if self.used() + self.needs(plain) > self.limits.max_active:
                return
            plain.state, plain.held = State.RUNNING, self.needs(plain)

    def end(self, plain: Plain, state: State) -> None:
        plain.state = state
        self.hand_over()

    def expire(self, now_s: float) -> None:
        for plain in self.of(State.WAITING):
            if now_s >= plain.arrived_s + self.limits.queue_timeout_s:
                plain.state = State.QUEUE_TIMEOUT
        self.hand_over()


class AdmissionMachine(RuleBasedStateMachine):
    """Both are driven with the same events; after each they must agree about every request."""

    orders: ClassVar[Orders] = ORDERS
    who_is_next: ClassVar[dict[QueueOrder, Rule]] = RULES

    def __init__(self) -> None:
        super().__init__()
        self.start_with(Limits(max_active=2, queue_max=1, queue_timeout_s=4.0))
        self.pairs: list[tuple[Ticket, Plain]] = []
        self.now_s = 0.0
        self.answers: dict[Ticket, int] = {}

    def start_with(self, limits: Limits) -> None:
        self.core = Admission(limits, orders=self.orders)
        self.reference = Reference(limits, self.who_is_next)

    @initialize(max_active=st.integers(1, 4), queue_max=st.integers(0, 3), mode=st.sampled_from(QueueMode))
    def begin(self, max_active: int, queue_max: int, mode: QueueMode) -> None:
        self.start_with(
            Limits(max_active=max_active, queue_max=queue_max, queue_timeout_s=4.0, queue_mode=mode)
        )

    def tell(self, change: tuple[object, object]) -> None:
        granted, ended = change
        for ticket in (*granted, *ended):  # type: ignore[misc]
            self.answers[ticket] = self.answers.get(ticket, 0) + 1

    def live(self, state: State) -> list[tuple[Ticket, Plain]]:
        return [pair for pair in self.pairs if pair[0].state is state]

    @rule(slots=st.integers(1, 4), prompt_bytes=st.integers(0, 5), due_s=st.sampled_from([0.0, 3.0, inf]))
    def offer(self, slots: int, prompt_bytes: int, due_s: float) -> None:
        ticket = self.core.offer(self.now_s, slots, RequestFacts(prompt_bytes, due_s=due_s))
        self.pairs.append((ticket, self.reference.offer(self.now_s, slots, prompt_bytes, due_s)))

    @precondition(lambda self: self.live(State.RUNNING))
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        ticket, plain = data.draw(st.sampled_from(self.live(State.RUNNING)))
        self.tell(self.core.release(ticket, self.now_s))
        self.reference.end(plain, State.RELEASED)

    @precondition(lambda self: self.live(State.WAITING))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        ticket, plain = data.draw(st.sampled_from(self.live(State.WAITING)))
        self.tell(self.core.leave(ticket, self.now_s))
        self.reference.end(plain, State.LEFT)

    @rule(elapsed_s=st.sampled_from([0.0, 0.5, 1.0, 2.0, 4.0]))
    def time_passes(self, elapsed_s: float) -> None:
        self.now_s += elapsed_s
        self.tell(self.core.expire(self.now_s))
        self.reference.expire(self.now_s)

    @rule(
        max_active=st.integers(1, 5),
        queue_max=st.integers(0, 4),
        timeout_s=st.sampled_from([0.5, 1.0, 4.0]),
        mode=st.sampled_from(QueueMode),
        order=st.sampled_from(QueueOrder),
    )
    def resize(
        self, max_active: int, queue_max: int, timeout_s: float, mode: QueueMode, order: QueueOrder
    ) -> None:
        limits = self.core.limits.changed(
            max_active=max_active,
            queue_max=queue_max,
            queue_timeout_s=timeout_s,
            queue_mode=mode,
            queue_order=order,
        )
        self.tell(self.core.resize(limits, self.now_s))
        self.reference.limits = limits
        self.reference.expire(self.now_s)

    @precondition(lambda self: len(self.pairs) > 20)
    @rule()
    def drain(self) -> None:
        self.tell(self.core.drain(self.now_s))
        self.reference.draining = True
        for plain in self.reference.of(State.WAITING):
            plain.state = State.DRAINING

    @invariant()
    def both_agree(self) -> None:
        assert [ticket.state for ticket, _ in self.pairs] == [plain.state for _, plain in self.pairs]
        assert self.core.active == self.reference.used()
        assert self.core.queued == len(self.reference.of(State.WAITING))

    @invariant()
    def nothing_is_lost(self) -> None:
        """Offered = ended + running + waiting; slots held are those of the running."""
        alive = [ticket for ticket, _ in self.pairs if ticket.state in LIVE]
        assert self.core.arrived == len(self.pairs)
        assert len(alive) == self.core.running + self.core.queued
        assert self.core.active == sum(t.held for t in alive if t.state is State.RUNNING)

    @invariant()
    def each_is_told_at_most_once(self) -> None:
        """A waiter hears one answer: granted or ended, never both, never twice."""
        assert all(count == 1 for count in self.answers.values())

    @invariant()
    def a_free_slot_and_a_waiter_that_fits_never_coexist(self) -> None:
        waiting = self.reference.of(State.WAITING)
        if waiting:
            first = self.reference.next_of(waiting)
            limit = self.core.limits.max_active
            assert min(first.slots, limit) > limit - self.core.active


class ShortestPromptMachine(AdmissionMachine):
    """The same with an order that reads the request, in place of FIFO; LIFO stays, so orders change."""

    orders: ClassVar[Orders] = {**ORDERS, QueueOrder.FIFO: ShortestPrompt}
    who_is_next: ClassVar[dict[QueueOrder, Rule]] = {**RULES, QueueOrder.FIFO: shortest}


SEARCH = settings(max_examples=100, stateful_step_count=30, deadline=None)
AdmissionMachine.TestCase.settings = SEARCH
ShortestPromptMachine.TestCase.settings = SEARCH


@pytest.mark.fault(82)
class TestAdmission(AdmissionMachine.TestCase):  # type: ignore[misc, valid-type]  # Hypothesis makes this class at run time
    """Order, limits, conservation and one end per request, under every
    mix of offers, ends, timeouts and resizes.
    """


class TestShortestPrompt(ShortestPromptMachine.TestCase):  # type: ignore[misc, valid-type]  # as above
    """The core keeps all its promises under an order that it does not know."""
