"""Closed forms of queueing theory, and the admission core driven through the same systems in virtual time.

Service rate per slot is 1, so times are in mean service times. c: slots, q: queue
places, lam: arrivals per unit of time.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from gateway.admission import Admission
from gateway.limits import Limits
from gateway.ticket import State


def erlang_b(c: int, lam: float) -> float:
    """Blocking of M/G/c/c, whatever the law of service: B(k) = aB(k−1)/(k + aB(k−1))."""
    blocked = 1.0
    for k in range(1, c + 1):
        blocked = lam * blocked / (k + lam * blocked)
    return blocked


@dataclass(frozen=True)
class Exact:
    """blocked, timed_out: shares of the offered; queue_time: mean time in the queue of those let in."""

    blocked: float
    timed_out: float
    queue_time: float


def mmcq(c: int, q: int, lam: float, patience: float = math.inf) -> Exact:
    """M/M/c/c+q, with a deterministic patience (Movaghar 1998).

    π(c+n) = π(c−1)·λ^(n+1)·∫ min(x,τ)^n/n!·e^(−cx) dx for n = 0..q; with τ =
    ∞ that is the plain birth–death chain.
    """
    weights = [lam**n / math.factorial(n) for n in range(c)]
    weights += [weights[c - 1] * lam ** (n + 1) * _integral(n, c, patience) for n in range(q + 1)]
    total = sum(weights)
    shares = [weight / total for weight in weights]
    blocked = shares[-1]
    busy = sum(min(n, c) * share for n, share in enumerate(shares))
    queued = sum(max(0, n - c) * share for n, share in enumerate(shares))
    return Exact(blocked, 1 - blocked - busy / lam, queued / (lam * (1 - blocked)))


def _integral(n: int, c: int, patience: float) -> float:
    if math.isinf(patience):
        return float(c) ** -(n + 1)
    mean = c * patience
    term, below = math.exp(-mean), 0.0
    for k in range(n + 1):
        below += term
        term *= mean / (k + 1)
    rest = patience**n / math.factorial(n) * math.exp(-mean) / c
    return float(c) ** -(n + 1) * (1 - below) + rest


Law = Callable[[Random], float]

LAWS: dict[str, Law] = {
    "exponential": lambda random: random.expovariate(1.0),
    "deterministic": lambda _: 1.0,
    "lognormal": lambda random: random.lognormvariate(-0.5 * math.log(2), math.sqrt(math.log(2))),
}


def simulate(limits: Limits, lam: float, law: Law, arrivals: int, seed: int) -> Exact:
    """One run of the core in virtual time; the first tenth of the arrivals warms it up."""
    random = Random(seed)
    core = Admission(limits)
    departures: list[tuple[float, int, object]] = []
    counted = dict.fromkeys(State, 0)
    now, warm, serial = 0.0, arrivals // 10, 0
    area_before = 0.0
    ends = []

    def start(tickets: object, at: float) -> None:
        nonlocal serial
        for ticket in tickets:  # type: ignore[attr-defined]
            serial += 1
            heapq.heappush(departures, (at + law(random), serial, ticket))

    arrival = random.expovariate(lam)
    offered = 0
    while offered < arrivals:
        departure = departures[0][0] if departures else math.inf
        deadline = core.next_deadline_s
        now = min(arrival, departure, deadline)
        if now == deadline:
            change = core.expire(now)
            start(change.granted, now)
        elif now == departure:
            start(core.release(heapq.heappop(departures)[2], now).granted, now)  # type: ignore[arg-type]
        else:
            if offered == warm:
                core.advance(now)
                area_before = core.queue_seconds
            ticket = core.offer(now)
            if offered >= warm:
                ends.append(ticket)
            if ticket.state is State.RUNNING:
                start((ticket,), now)
            offered += 1
            arrival = now + random.expovariate(lam)
    core.advance(now)
    for ticket in ends:
        counted[ticket.state] += 1
    total = arrivals - warm
    let_in = total - counted[State.REJECTED_FULL] - counted[State.REJECTED_MODE]
    blocked = 1 - let_in / total
    return Exact(
        blocked, counted[State.QUEUE_TIMEOUT] / total, (core.queue_seconds - area_before) / max(1, let_in)
    )


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Mean of independent runs and its standard error."""
    n = len(values)
    mean = sum(values) / n
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)
