"""The admission core, case by case. Times are virtual seconds."""

import pytest

from gateway.admission import Admission
from gateway.limits import Limits, QueueMode, QueueOrder
from gateway.outcome import Outcome
from gateway.ticket import State, Ticket


def states(*tickets: Ticket) -> list[State]:
    return [ticket.state for ticket in tickets]


def test_a_free_slot_is_taken_at_once() -> None:
    """Nobody passes through the queue while slots are free, in either mode."""
    for mode in QueueMode:
        core = Admission(Limits(max_active=2, queue_mode=mode, queue_max=1))
        assert states(core.offer(0.0), core.offer(0.0)) == [State.RUNNING, State.RUNNING]


def test_a_queue_of_zero_is_no_queue() -> None:
    """QUEUE_MAX=0 refuses every excess request; it never means `unbounded`."""
    core = Admission(Limits(max_active=1, queue_max=0))
    core.offer(0.0)
    assert {core.offer(0.0).state for _ in range(12)} == {State.REJECTED_FULL}


def test_reject_mode_refuses_without_a_free_slot_only() -> None:
    """The slot that comes free is the newcomer's again."""
    core = Admission(Limits(max_active=1, queue_mode=QueueMode.REJECT))
    first = core.offer(0.0)
    assert core.offer(0.0).state is State.REJECTED_MODE
    core.release(first, 1.0)
    assert core.offer(1.0).state is State.RUNNING


def test_a_freed_slot_goes_to_a_waiter_not_to_a_newcomer() -> None:
    """Hand-over happens inside the release: there is no moment in which a newcomer could barge in."""
    core = Admission(Limits(max_active=1, queue_max=5))
    first, second = core.offer(0.0), core.offer(0.1)
    change = core.release(first, 1.0)
    assert change.granted == [second]
    assert second.granted_s == 1.0
    assert core.offer(1.0).state is State.WAITING


@pytest.mark.parametrize(("order", "expected"), [(QueueOrder.FIFO, [0, 1, 2]), (QueueOrder.LIFO, [2, 1, 0])])
def test_the_order_decides_who_is_next(order: QueueOrder, expected: list[int]) -> None:
    """Oldest first or newest first, everything else equal."""
    core = Admission(Limits(max_active=1, queue_order=order))
    running = core.offer(0.0)
    waiting = [core.offer(0.1 * i) for i in range(1, 4)]
    served = []
    for i in range(3):
        (running,) = core.release(running, 1.0 + i).granted
        served.append(waiting.index(running))
    assert served == expected


def test_who_leaves_makes_room_and_keeps_the_order() -> None:
    """A departed waiter frees its place at once and is never granted."""
    core = Admission(Limits(max_active=1, queue_max=2))
    running, gone, stays = core.offer(0.0), core.offer(0.1), core.offer(0.2)
    assert core.offer(0.3).state is State.REJECTED_FULL
    core.leave(gone, 0.4)
    late = core.offer(0.5)
    assert late.state is State.WAITING
    assert core.release(running, 1.0).granted == [stays]
    assert gone.state is State.LEFT


def test_patience_ends_exactly_at_the_timeout() -> None:
    """A waiter is ended at arrival + QUEUE_TIMEOUT_S, not before, and its place is free again."""
    core = Admission(Limits(max_active=1, queue_max=1, queue_timeout_s=5.0))
    core.offer(0.0)
    waiter = core.offer(1.0)
    assert core.next_deadline_s == 6.0
    assert core.expire(5.999) == ((), ())
    assert core.expire(6.0).ended == [waiter]
    assert waiter.state is State.QUEUE_TIMEOUT
    assert core.offer(6.0).state is State.WAITING


def test_a_ticket_ends_once() -> None:
    """Ending it again is the driver's bug and changes nothing."""
    core = Admission(Limits(max_active=1))
    ticket = core.offer(0.0)
    core.release(ticket, 1.0)
    with pytest.raises(ValueError, match="does not run"):
        core.release(ticket, 2.0)
    with pytest.raises(ValueError, match="does not wait"):
        core.leave(ticket, 2.0)
    assert (core.active, core.running) == (0, 0)


def test_growth_wakes_waiters_and_shrinking_kills_nobody() -> None:
    """8 → 2 → 8: running requests finish, the excess drains, waiters start when room comes."""
    core = Admission(Limits(max_active=8))
    running = [core.offer(0.0) for _ in range(8)]
    waiting = [core.offer(0.0) for _ in range(8)]
    assert core.resize(core.limits.changed(max_active=2), 1.0) == ([], ())
    assert core.active == 8
    for ticket in running[:6]:
        assert not core.release(ticket, 2.0).granted
    assert core.release(running[6], 2.0).granted == waiting[:1]
    assert core.resize(core.limits.changed(max_active=8), 3.0).granted == waiting[1:7]
    assert core.active == 8


def test_a_shorter_timeout_holds_for_those_who_wait() -> None:
    """The limits in force are the limits for everyone."""
    core = Admission(Limits(max_active=1, queue_timeout_s=100.0))
    core.offer(0.0)
    waiter = core.offer(0.0)
    assert core.resize(core.limits.changed(queue_timeout_s=2.0), 3.0).ended == [waiter]


def test_a_wide_request_takes_its_slots_and_is_not_overtaken() -> None:
    """n choices hold n slots; one that needs more than are free makes the ones behind it wait."""
    core = Admission(Limits(max_active=4))
    small = core.offer(0.0, slots=2)
    wide = core.offer(0.1, slots=4)
    behind = core.offer(0.2)
    assert states(small, wide, behind) == [State.RUNNING, State.WAITING, State.WAITING]
    assert core.release(small, 1.0).granted == [wide]
    assert core.active == 4
    assert core.release(wide, 2.0).granted == [behind]


def test_a_request_wider_than_the_limit_runs_alone() -> None:
    """It would otherwise wait for ever."""
    core = Admission(Limits(max_active=2))
    wide = core.offer(0.0, slots=8)
    assert wide.state is State.RUNNING
    assert core.active == 2
    core.release(wide, 1.0)
    assert core.active == 0


def test_draining_refuses_those_who_wait_and_those_who_come() -> None:
    """Running requests finish."""
    core = Admission(Limits(max_active=1))
    running, waiter = core.offer(0.0), core.offer(0.0)
    assert core.drain(1.0).ended == [waiter]
    assert states(running, waiter, core.offer(1.0)) == [State.RUNNING, State.DRAINING, State.DRAINING]
    core.release(running, 2.0)
    assert core.active == 0


def test_the_integrals_are_areas() -> None:
    """∫active dt, ∫depth dt and the time with a full queue, to the last event."""
    core = Admission(Limits(max_active=1, queue_max=1))
    first = core.offer(0.0)
    core.offer(2.0)
    core.release(first, 5.0)
    core.advance(6.0)
    assert (core.active_seconds, core.queue_seconds, core.queue_full_seconds) == (6.0, 3.0, 3.0)


def test_its_state_can_be_read() -> None:
    """A repr is for people who debug."""
    core = Admission(Limits(max_active=1))
    core.offer(0.0)
    core.offer(0.0)
    assert repr(core) == "<Admission [limit 1 | active 1 | waiting 1]>"


def test_time_does_not_go_back() -> None:
    """A driver that mixes clocks is told at once."""
    core = Admission(Limits())
    core.offer(5.0)
    with pytest.raises(ValueError, match="went back"):
        core.offer(4.0)


def test_a_refusal_has_the_name_of_its_outcome() -> None:
    """The simulator takes the outcome from the ticket's state."""
    refusals = (State.REJECTED_FULL, State.REJECTED_MODE, State.QUEUE_TIMEOUT, State.DRAINING)
    assert {state.value for state in refusals} <= set(Outcome)
