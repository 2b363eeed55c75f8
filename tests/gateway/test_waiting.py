"""The asyncio side of admission, with a clock of its own."""

import asyncio

from gateway.limits import Limits
from gateway.ticket import NOTHING_KNOWN, RequestFacts, State
from gateway.waiting import REFUSED_AT_ONCE, WaitingRoom


def test_an_early_refusal_leaves_nothing_behind() -> None:
    """A waiter that expires between question and offer once left a ticket that
    nobody held, and so lost a slot.
    """

    async def full_queue_at_the_moment_of_a_timeout(step_s: float) -> None:
        now_s = 0.0

        def clock() -> float:
            nonlocal now_s
            now_s += step_s
            return now_s

        room = WaitingRoom(Limits(max_active=1, queue_max=1, queue_timeout_s=1.0), clock)
        running, waiting = room.offer(1, NOTHING_KNOWN), room.offer(1, NOTHING_KNOWN)
        assert (running.state, waiting.state) == (State.RUNNING, State.WAITING)
        for _ in range(40):
            state = room.refused()
            if state is None:
                break
            assert state is State.REJECTED_FULL
        assert room.admission.queued == (waiting.state is State.WAITING)
        room.end(running)
        room.end(waiting)
        assert (room.admission.active, room.admission.queued) == (0, 0)

    for step_s in (0.05, 0.07, 0.11, 0.13, 0.3):
        asyncio.run(full_queue_at_the_moment_of_a_timeout(step_s))


class Told:
    """Notes in which turn of the loop it was told."""

    def __init__(self, turns: list[int], told: list[int]) -> None:
        self._turns = turns
        self._told = told

    def ticket_changed(self) -> None:
        self._told.append(len(self._turns))


def test_many_who_waited_in_vain_are_told_in_turns() -> None:
    """The loop serves others in between; each is told once; those who got a slot do not wait behind them."""

    async def refused() -> None:
        turns: list[int] = []
        told: list[int] = []
        granted: list[int] = []
        many, now_s = 3 * REFUSED_AT_ONCE + 1, 0.0
        room = WaitingRoom(Limits(max_active=1, queue_max=many, queue_timeout_s=1.0), lambda: now_s)
        running = room.offer(1, NOTHING_KNOWN)
        for _ in range(many - 1):
            room.offer(1, NOTHING_KNOWN, Told(turns, told))
        now_s = 0.5
        room.offer(1, NOTHING_KNOWN, Told(turns, granted))
        now_s = 1.2
        room.end(running)  # all but the last have waited too long, and the last one gets the slot
        while len(told) < many - 1:
            await asyncio.sleep(0)
            turns.append(0)
        assert granted == [0]
        assert len(told) == many - 1
        assert max(told.count(turn) for turn in set(told)) == REFUSED_AT_ONCE
        assert (room.admission.active, room.admission.queued) == (1, 0)

    asyncio.run(asyncio.wait_for(refused(), 10))


def test_who_waits_for_tokens_is_told_when_there_are_some() -> None:
    """A larger budget, and a running request that needs less than thought, start those who wait."""

    async def waits() -> None:
        told: list[int] = []
        room = WaitingRoom(Limits(max_active=3), lambda: 0.0)
        room.limit_tokens(100)
        need = RequestFacts(kv_tokens=80)
        first = room.offer(1, need)
        others = [room.offer(1, need, Told([], told)) for _ in range(2)]
        assert [ticket.state for ticket in others] == [State.WAITING] * 2
        room.limit_tokens(160)
        assert not told
        await asyncio.sleep(0)
        assert len(told) == 1
        room.hold(first, 10)
        await asyncio.sleep(0)
        assert len(told) == 1
        room.hold(others[0], 10)
        await asyncio.sleep(0)
        assert len(told) == 2
        for ticket in (first, *others):
            room.end(ticket)
        assert room.admission.pool is not None
        assert (room.admission.active, room.admission.pool.held) == (0, 0.0)

    asyncio.run(waits())
