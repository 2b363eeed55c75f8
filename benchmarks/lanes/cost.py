"""What lanes cost: CPU time of the core per request, with a thousand lanes and with none, paired."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from statistics import median

from gateway.admission import Admission
from gateway.lane import NO_LANES, Lane, Lanes, PriorityClass
from gateway.limits import Limits, QueueOrder
from gateway.ticket import RequestFacts, State, Ticket

LANES = 1000
REQUESTS = 20_000
MOST_US = 5.0
LIMITS = Limits(max_active=32, queue_max=2000, queue_timeout_s=1e6, queue_order=QueueOrder.FAIR)


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU per request, medians over the rounds: without lanes, and what lanes add."""

    without_us: float
    more_us: float
    rounds: int


def measured(rounds: int = 15) -> Cost:
    """Each round drives both, one after the other, in turn; a difference is of the same round."""
    classes = (PriorityClass("urgent", 1), PriorityClass("batch", 1))
    lanes = Lanes(
        classes,
        tuple(
            Lane(f"t{k}", classes[k % 2].name, 1.0 + k % 3, tokens_per_min=1e12 if k % 4 == 0 else None)
            for k in range(LANES)
        ),
    )
    facts = [RequestFacts(lane=lane.name, cost_tokens=100.0) for lane in lanes.lanes]
    without, more = [], []
    for k in range(rounds):
        order = (NO_LANES, lanes) if k % 2 else (lanes, NO_LANES)
        took = {each.shared: drive_us(Admission(LIMITS, lanes=each), facts) for each in order}
        without.append(took[False])
        more.append(took[True] - took[False])
    return Cost(median(without), median(more), rounds)


def drive_us(core: Admission, facts: list[RequestFacts]) -> float:
    """CPU microseconds per request, which comes into a queue of a thousand, runs, is corrected and ends."""
    running: deque[Ticket] = deque()
    for k in range(LIMITS.max_active + 1000):
        ticket = core.offer(0.0, 1, facts[k * 7 % len(facts)])
        if ticket.state is State.RUNNING:
            running.append(ticket)
    begin_s = time.process_time()
    for k in range(REQUESTS):
        now_s = k * 0.01
        core.offer(now_s, 1, facts[k * 7 % len(facts)])
        ticket = running.popleft()
        core.correct(ticket, 90.0, now_s)
        running.extend(core.release(ticket, now_s).granted)
    return (time.process_time() - begin_s) / REQUESTS * 1e6
