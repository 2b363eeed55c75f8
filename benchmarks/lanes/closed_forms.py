"""Exactly solved queues with priority classes, and the core with lanes driven through the same systems."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.lanes.virtual import Stream, drawn, mean_and_error, play
from gateway.admission import Admission
from gateway.lane import Lane, Lanes, PriorityClass
from gateway.limits import Limits, QueueOrder
from gateway.ticket import State, Ticket
from tests.gateway.queueing import erlang_b, mmcq

ENDLESS_S = 1e9


def cobham(c: int, streams: Sequence[Stream]) -> list[float]:
    """Mean waits of each class, most urgent first, under non-preemptive priority (Cobham 1954).

    W(k) = W0 / ((1 − σ(k−1))(1 − σ(k))), σ(k): load of classes 1..k per slot. One slot: any service times,
    W0 = Σ λE[S²]/2. More: exponential ones of one mean s, W0 = C(c, a)·s/c with Erlang's C.
    """
    if c == 1:
        w0 = sum(stream.per_s * stream.second_moment for stream in streams) / 2
    else:
        load = sum(stream.load for stream in streams)
        blocked = erlang_b(c, load)
        waits = c * blocked / (c - load * (1 - blocked))
        w0 = waits * streams[0].mean_s / c
    sigma = [0.0]
    for stream in streams:
        sigma.append(sigma[-1] + stream.load / c)
    return [w0 / ((1 - before) * (1 - now)) for before, now in itertools.pairwise(sigma)]


def reserved_slots(c: int, reserved: Sequence[int], loads: Sequence[float]) -> list[float]:
    """Shares of two classes that are turned away where nobody may wait.

    The states (n1, n2) that reserved slots leave are those with n1 + n2 ≤ c, n1 ≤ c − r2, n2 ≤ c − r1; on
    such a set π ∝ Π a(k)^n(k) / n(k)! (Kaufman 1981), whatever the law of service.
    """
    most = (c - reserved[1], c - reserved[0])
    states = {
        (n, m): loads[0] ** n / math.factorial(n) * loads[1] ** m / math.factorial(m)
        for n in range(most[0] + 1)
        for m in range(most[1] + 1)
        if n + m <= c
    }
    total = sum(states.values())
    return [
        sum(weight for (n, m), weight in states.items() if (n + step[0], m + step[1]) not in states) / total
        for step in ((1, 0), (0, 1))
    ]


@dataclass(frozen=True, slots=True)
class Case:
    """One system and what theory says: measures by name, and how to read them off a run's tickets."""

    name: str
    limits: Limits
    lanes: Lanes
    streams: tuple[Stream, ...]
    exact: dict[str, float]
    read: Callable[[Sequence[Ticket]], dict[str, float]]


@dataclass(frozen=True, slots=True)
class Row:
    """A measure: exact, and the mean of independent runs with its standard error. rare: what three events in
    all runs are, since runs may hold none of a rare event.
    """

    case: str
    measure: str
    exact: float
    found: float
    error: float
    rare: float = 0.0

    @property
    def agrees(self) -> bool:
        """Within 3 standard errors + 0.5 %."""
        return abs(self.found - self.exact) <= 3 * self.error + 0.005 * self.exact + self.rare


def rows(case: Case, runs: int, arrivals: int) -> Iterator[Row]:
    """Independent runs of a case; the first tenth of each warms it up."""
    found: list[dict[str, float]] = []
    for seed in range(1, runs + 1):
        core = Admission(case.limits, lanes=case.lanes)
        tickets = play(drawn(case.streams, arrivals, seed), core)
        found.append(case.read(tickets[arrivals // 10 :]))
    for name, exact in case.exact.items():
        mean, error = mean_and_error([each[name] for each in found])
        rare = 3 / (runs * arrivals) if name.startswith("refused") else 0.0
        yield Row(case.name, name, exact, mean, error, rare)


def cases() -> Iterator[Case]:
    """Priority on one slot and on four, reserved slots, classes with bounds of their own, weights."""
    one = (Stream("t/urgent", 0.5, 0.4, constant=True), Stream("t/usual", 0.5, 1.0))
    yield priority("two classes, one slot, M/G/1", 1, one)
    three = (Stream("t/urgent", 0.8), Stream("t/usual", 1.2), Stream("t/batch", 1.2))
    yield priority("three classes, four slots, M/M/4", 4, three)
    yield _reserved("reserved slots 2 and 1 of 5, no queue", 5, (2, 1), (2.5, 2.0))
    yield _bounded()


def priority(name: str, c: int, streams: tuple[Stream, ...]) -> Case:
    """Classes in an endless queue."""
    limits = Limits(max_active=c, queue_max=10**6, queue_timeout_s=ENDLESS_S, queue_order=QueueOrder.FAIR)
    exact = {f"wait of {_class(s)}, s": w for s, w in zip(streams, cobham(c, streams), strict=True)}
    return Case(name, limits, _one_lane_each(streams), streams, exact, _waits)


def _reserved(name: str, c: int, reserved: tuple[int, int], loads: tuple[float, float]) -> Case:
    streams = tuple(Stream(f"t/{k}", load) for k, load in zip(("first", "second"), loads, strict=True))
    classes = tuple(PriorityClass(_class(s), r) for s, r in zip(streams, reserved, strict=True))
    lanes = Lanes(classes, tuple(Lane("t", each.name) for each in classes))
    exact = reserved_slots(c, reserved, loads)
    wanted = {f"refused of {_class(s)}": share for s, share in zip(streams, exact, strict=True)}
    return Case(name, Limits(max_active=c, queue_max=0), lanes, streams, wanted, _refused)


def _bounded() -> Case:
    """Each class has slots and places of its own, and all slots together are enough: M/M/c/K each."""
    bounds = {"first": (2, 4, 1.8), "second": (3, 6, 3.3)}
    streams = tuple(Stream(f"t/{name}", load) for name, (_, _, load) in bounds.items())
    lanes = Lanes(
        tuple(PriorityClass(name) for name in bounds),
        tuple(Lane("t", name, slots_max=c, queue_max=q) for name, (c, q, _) in bounds.items()),
    )
    exact: dict[str, float] = {}
    for name, (c, q, load) in bounds.items():
        solved = mmcq(c, q, load)
        exact |= {f"refused of {name}": solved.blocked, f"wait of {name}, s": solved.queue_time}
    limits = Limits(max_active=5, queue_max=1000, queue_timeout_s=ENDLESS_S)
    return Case("M/M/c/K per class", limits, lanes, streams, exact, lambda t: _waits(t) | _refused(t))


def _one_lane_each(streams: Sequence[Stream]) -> Lanes:
    return Lanes(
        tuple(PriorityClass(_class(stream)) for stream in streams),
        tuple(Lane("t", _class(stream)) for stream in streams),
    )


def _class(stream: Stream) -> str:
    return stream.lane.partition("/")[2]


def _by_class(tickets: Sequence[Ticket]) -> dict[str, list[Ticket]]:
    found: dict[str, list[Ticket]] = {}
    for ticket in tickets:
        found.setdefault(ticket.request.lane.partition("/")[2], []).append(ticket)
    return found


def _waits(tickets: Sequence[Ticket]) -> dict[str, float]:
    return {
        f"wait of {name}, s": _mean([t.granted_s - t.arrived_s for t in some if t.granted_s is not None])
        for name, some in _by_class(tickets).items()
    }


def _refused(tickets: Sequence[Ticket]) -> dict[str, float]:
    return {
        f"refused of {name}": sum(t.state is State.REJECTED_FULL for t in some) / len(some)
        for name, some in _by_class(tickets).items()
    }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
