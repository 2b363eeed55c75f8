"""The admission core with lanes in virtual time, over slots that serve each request for a given time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from gateway.admission import Admission
from gateway.ticket import RequestFacts, State, Ticket


@dataclass(frozen=True, slots=True)
class Job:
    """A request: when it comes, by which lane, how long it holds its slot, and how many tokens that is;
    charged: tokens that it is said to cost.
    """

    arrives_s: float
    lane: str
    service_s: float
    tokens: float = 1.0
    charged: float | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """Poisson arrivals of a lane. mean_s: of the service time; exponential, or all the same."""

    lane: str
    per_s: float
    mean_s: float = 1.0
    constant: bool = False

    @property
    def load(self) -> float:
        """Slots that it would keep busy."""
        return self.per_s * self.mean_s

    @property
    def second_moment(self) -> float:
        """Of the service time, s²."""
        return self.mean_s**2 * (1 if self.constant else 2)


def drawn(streams: Sequence[Stream], count: int, seed: int) -> Iterator[Job]:
    """The first `count` arrivals of all streams, in order."""
    random, now_s = Random(seed), 0.0
    rates = [stream.per_s for stream in streams]
    for _ in range(count):
        now_s += random.expovariate(sum(rates))
        (stream,) = random.choices(streams, rates)
        service_s = stream.mean_s if stream.constant else random.expovariate(1 / stream.mean_s)
        yield Job(now_s, stream.lane, service_s)


def play(jobs: Iterable[Job], core: Admission, until_s: float = math.inf) -> list[Ticket]:
    """All jobs, ascending in `arrives_s`, to the end of the last one or to `until_s`; a ticket's owner is its
    job.
    """
    ends: list[tuple[float, int, Ticket]] = []
    tickets: list[Ticket] = []

    def start(granted: Iterable[Ticket], now_s: float) -> None:
        for ticket in granted:
            job: Job = ticket.owner  # type: ignore[assignment]  # we put it there
            heapq.heappush(ends, (now_s + job.service_s, len(tickets), ticket))

    def serve(time_s: float) -> None:
        while (next_s := min(ends[0][0] if ends else math.inf, core.next_deadline_s)) <= time_s:
            if next_s == math.inf:
                return
            if core.next_deadline_s <= next_s:
                start(core.expire(next_s).granted, next_s)
            else:
                start(core.release(heapq.heappop(ends)[2], next_s).granted, next_s)

    for job in jobs:
        if job.arrives_s > until_s:
            break
        serve(job.arrives_s)
        cost = job.tokens if job.charged is None else job.charged
        ticket = core.offer(job.arrives_s, 1, RequestFacts(lane=job.lane, cost_tokens=cost), job)
        tickets.append(ticket)
        if ticket.state is State.RUNNING:
            start((ticket,), job.arrives_s)
    serve(until_s)
    return tickets


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean of independent runs and its standard error."""
    mean = math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values)
    return mean, math.sqrt(spread / (len(values) - 1) / len(values))
