"""A small first-come-first-served simulation: slots, a bounded queue, a queue timeout, and a service time
that grows with the number of active requests, so that knees, rejections and timeouts look like real ones.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from gateway.limits import Limits, QueueMode
from loadtests.outcome import Outcome
from loadtests.planning.arrival import Arrival
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord

PROMPT_TOKENS, OUTPUT_TOKENS = 64, 24


def serve(plan: Plan, limits: Limits, seed: int) -> list[RequestRecord]:
    """A record for every arrival of the plan, all phases."""
    gateway = _Gateway(limits, np.random.default_rng(seed), [0.0] * limits.max_active)
    return [gateway.take(arrival) for arrival in plan.arrivals]


@dataclass(slots=True)
class _Gateway:
    limits: Limits
    rng: np.random.Generator
    free: list[float]
    """when each slot is free, a heap"""
    waiting: deque[float] = field(default_factory=deque)
    """when each waiting request leaves the queue"""
    running: list[float] = field(default_factory=list)
    """when each running request ends, a heap"""

    def take(self, arrival: Arrival) -> RequestRecord:
        """What becomes of the next arrival."""
        due_s = arrival.due_s
        while self.waiting and self.waiting[0] <= due_s:
            self.waiting.popleft()
        while self.running and self.running[0] <= due_s:
            heapq.heappop(self.running)
        sent_s = due_s + abs(self.rng.normal(0.0006, 0.0004))
        start_s = max(sent_s, self.free[0])
        if start_s > sent_s and len(self.waiting) >= self.limits.room:
            queues = self.limits.queue_mode is QueueMode.QUEUE
            outcome = Outcome.REJECTED_FULL if queues else Outcome.REJECTED_MODE
            return _refused(arrival, sent_s, sent_s + 0.002, outcome, 0.0)
        if start_s - sent_s > self.limits.queue_timeout_s:
            end_s = sent_s + self.limits.queue_timeout_s
            self.waiting.append(end_s)
            return _refused(arrival, sent_s, end_s, Outcome.QUEUE_TIMEOUT, end_s - sent_s)
        if start_s > sent_s:
            self.waiting.append(start_s)
        return self._serve(arrival, sent_s, start_s)

    def _serve(self, arrival: Arrival, sent_s: float, start_s: float) -> RequestRecord:
        batch = min(len(self.running) + 1, self.limits.max_active)
        tokens = int(self.rng.integers(20, 29))
        headers_s = start_s + 0.004 + abs(self.rng.normal(0, 0.002))
        first_s = headers_s + 0.03 + 0.006 * batch + self.rng.exponential(0.006)
        gap_s = (0.016 + 0.0022 * batch) * self.rng.lognormal(0, 0.05)
        last_s = first_s + (tokens - 1) * gap_s
        heapq.heapreplace(self.free, last_s + 0.001)
        heapq.heappush(self.running, last_s + 0.001)
        return RequestRecord(
            i=arrival.i,
            request_id=f"r-{arrival.i}",
            phase=arrival.phase,
            cls=arrival.cls,
            session=arrival.session,
            due_s=arrival.due_s,
            outcome=Outcome.OK,
            sent_s=sent_s,
            headers_s=headers_s,
            first_s=first_s,
            last_s=last_s,
            finished_s=last_s + 0.001,
            chunk_times_s=(first_s + gap_s * np.arange(tokens)).tolist(),
            status=200,
            finish_reason="length",
            prompt_tokens=PROMPT_TOKENS,
            output_tokens=tokens,
            queue_s=start_s - sent_s,
            upstream_s=headers_s - start_s,
            limits_version=1,
            attempts=1,
        )


def _refused(
    arrival: Arrival, sent_s: float, finished_s: float, outcome: Outcome, queue_s: float
) -> RequestRecord:
    return RequestRecord(
        i=arrival.i,
        request_id=f"r-{arrival.i}",
        phase=arrival.phase,
        cls=arrival.cls,
        session=arrival.session,
        due_s=arrival.due_s,
        outcome=outcome,
        sent_s=sent_s,
        headers_s=finished_s,
        finished_s=finished_s,
        status=503 if outcome is Outcome.QUEUE_TIMEOUT else 429,
        queue_s=queue_s,
        limits_version=1,
        retry_after_s=1.0,
        attempts=1,
    )
