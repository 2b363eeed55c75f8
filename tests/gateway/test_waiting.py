"""The asyncio side of admission, with a clock of its own."""

import asyncio

from gateway.limits import Limits
from gateway.ticket import NOTHING_KNOWN, State
from gateway.waiting import WaitingRoom


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
