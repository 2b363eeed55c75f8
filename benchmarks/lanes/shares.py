"""Three tenants that always have something waiting: which share of the tokens each gets, in every minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt

from benchmarks.lanes.virtual import Job, play
from gateway.admission import Admission
from gateway.lane import Lane, Lanes, PriorityClass
from gateway.limits import Limits, QueueOrder
from gateway.ticket import Ticket

SLOTS = 8
TOKENS_PER_S = 50.0  # of one slot
LENGTHS = {"short": (20.0, 20.0), "long": (200.0, 200.0), "mixed": (20.0, 200.0)}
WEIGHTS = {"short": 1.0, "long": 2.0, "mixed": 4.0}
WINDOW_S, LENGTH_S = 60, 600
Series = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shares:
    """Over all windows of a minute: the largest error of a tenant's share (as a part of the share), the
    largest as a part of what is allowed (5 % of it, or one largest request per slot), and the least of Jain's
    index of tokens / weight; and the error and the index over the whole time.
    """

    worst_error: float
    worst_of_allowed: float
    least_jain: float
    whole_error: float
    whole_jain: float


def jain(values: Sequence[float] | Series) -> float:
    """(Σx)² / (n·Σx²): 1 where all have the same, 1/n where one has all (Jain, Chiu and Hawe 1984)."""
    x = np.asarray(values)
    return float(x.sum() ** 2 / (len(x) * (x**2).sum()))


def run(seed: int, *, by_request: bool = False) -> Shares:
    """One run. by_request: every request costs its lane the same, as in round robin by requests."""
    lanes = Lanes((PriorityClass("c"),), tuple(Lane(name, "c", WEIGHTS[name]) for name in LENGTHS))
    limits = Limits(max_active=SLOTS, queue_max=10**6, queue_timeout_s=1e9, queue_order=QueueOrder.FAIR)
    tickets = play(_backlog(seed, by_request), Admission(limits, lanes=lanes), LENGTH_S)
    return judged({name: _served(tickets, f"{name}/c") for name in LENGTHS})


def judged(served: dict[str, Series]) -> Shares:
    """served: of each tenant, the tokens that it had been served by each full second. Not judged is the first
    minute, in which the backlog starts at once.
    """
    names = list(served)
    weights = np.array([WEIGHTS[name] for name in names])
    ideal = weights / weights.sum()
    total = np.array([served[name][WINDOW_S:] for name in names])
    windows = total[:, WINDOW_S:] - total[:, :-WINDOW_S]
    wanted = ideal[:, None] * windows.sum(0)
    off = np.abs(windows - wanted)
    largest = SLOTS * max(length for lengths in LENGTHS.values() for length in lengths)
    whole = total[:, -1] - total[:, 0]
    return Shares(
        float((off / wanted).max()),
        float((off / np.maximum(0.05 * wanted, largest)).max()),
        min(jain(column / weights) for column in windows.T),
        float(np.abs(whole / whole.sum() / ideal - 1).max()),
        jain(whole / weights),
    )


def _backlog(seed: int, by_request: bool) -> list[Job]:
    """More than can be served, all of it there from the beginning."""
    random = Random(seed)
    jobs: list[Job] = []
    for name, lengths in LENGTHS.items():
        left = LENGTH_S * SLOTS * TOKENS_PER_S * 1.1
        while left > 0:
            tokens = random.choice(lengths)
            # No two alike: what falls together in time would hide what the order does.
            service_s = tokens / TOKENS_PER_S * random.uniform(0.9, 1.1)
            jobs.append(Job(0.0, f"{name}/c", service_s, tokens, 1.0 if by_request else None))
            left -= tokens
    random.shuffle(jobs)
    return jobs


def _served(tickets: Sequence[Ticket], lane: str) -> Series:
    """Tokens of a lane by each full second; a request's are spread evenly over its service."""
    times = np.arange(LENGTH_S + 1, dtype=float)
    total = np.zeros(len(times))
    for ticket in tickets:
        if ticket.granted_s is not None and ticket.request.lane == lane:
            job: Job = ticket.owner  # type: ignore[assignment]  # `play` put it there
            total += job.tokens * np.clip((times - ticket.granted_s) / job.service_s, 0.0, 1.0)
    return total
