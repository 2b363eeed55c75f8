"""A batch beside people, on the twin: what it gets by its own pace, and what a fixed number of its requests
at once would get under the same objective.

The pace is the code that `headroom batch run` runs (`loadtests.batch.pace`), looking twice a second at what
the gateway would show; admission is the gateway's. What fits is the best fixed number, known afterwards, with
which people keep their objective and lose one point of attainment at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

import numpy as np

from benchmarks import twin_speed
from experiments.twin.capacity import Planned
from experiments.twin.profile import EXACT, TINY_CPU, Profile
from experiments.twin.reference import ReferenceRun
from experiments.twin.simulated import Sender, Times
from experiments.twin.tables import Offered
from gateway.lane import Lane, Lanes, PriorityClass
from gateway.limits import Limits, QueueOrder
from loadtests.batch.others import ClassLook, LaneLook, Look
from loadtests.batch.pace import Pace
from loadtests.batch.watch import LOOK_EVERY_S
from loadtests.slo import SLO

PEOPLE, BATCH = "people/chat", "night/batch"
ATTAINMENT, FALL, USED = 0.95, 0.01, 0.85
WARM_UP_S = 30.0
ROUND_TRIP_S = 0.004
"""From the end of an answer of the batch to its next request at the gateway."""
BATCH_REQUESTS = 30_000
Lengths = tuple[tuple[int, int], tuple[int, int]]  # tokens of prompts and of answers, from and to


class Pacer(Protocol):
    """What decides how many are in flight: `Pace`, or a fixed number."""

    @property
    def closed_until_s(self) -> float: ...
    def may_send(self, in_flight: int, now_s: float) -> bool: ...
    def answered(self, in_flight: int) -> None: ...
    def refused(self, sent_s: float, told_s: float | None, now_s: float) -> None: ...
    def saw(self, now: Look | None, own: str, in_flight: int, now_s: float) -> None: ...


class Always:
    """So many, whatever happens."""

    closed_until_s = -inf

    def __init__(self, number: int) -> None:
        self._number = number

    def may_send(self, in_flight: int, now_s: float) -> bool:
        """Whether one more may leave now."""
        return in_flight < self._number

    def answered(self, in_flight: int) -> None:
        """Changes nothing."""

    def refused(self, sent_s: float, told_s: float | None, now_s: float) -> None:
        """Changes nothing."""

    def saw(self, now: Look | None, own: str, in_flight: int, now_s: float) -> None:
        """Changes nothing."""


@dataclass(frozen=True, slots=True)
class Case:
    """An engine behind a gateway of so many slots, some reserved for people; what people ask and what the
    batch has; their objective for the first token. key: its name for the command line; load: of people, in
    capacities; numbers: of the batch's requests at once, among which the best is looked for; length_s: of a
    run.
    """

    key: str
    name: str
    profile: Profile
    slots: int
    reserved: int
    people: Lengths
    batch: Lengths
    ttft_s: float
    load: float
    numbers: tuple[int, ...]
    length_s: float


_SLOW = EXACT.model_copy(update={"name": "50 ms a step", "base_s": 0.05})
_TALK = ((50, 200), (4, 76))
_TINY = ((20, 200), (10, 100))
_LONG = ((100, 900), (40, 360))
CASES = (
    Case("short", "short requests, 1 of 4 slots reserved", EXACT, 4, 1, ((20, 20),) * 2, ((20, 20),) * 2, 1.0,
         0.5, (2, 4, 6), 600.0),
    Case("alike", "alike, 16 slots", _SLOW, 16, 0, _TALK, _TALK, 0.5, 0.3, (6, 7, 8, 9, 10), 1800.0),
    Case("edge", "alike, 16 slots, people near their objective", _SLOW, 16, 0, _TALK, _TALK, 0.5, 0.6,
         (1, 2, 3), 1800.0),
    Case("long", "the batch's answers five times as long, 8 slots", _SLOW, 8, 0, _TALK,
         ((50, 200), (200, 200)), 1.0, 0.3, (1, 2, 3), 1800.0),
    Case("reserved", "the same, 2 slots reserved", _SLOW, 8, 2, _TALK, ((50, 200), (100, 300)), 1.0, 0.5,
         (1, 2, 3), 1800.0),
    Case("tiny", "tiny model on a CPU, 16 slots", TINY_CPU, 16, 0, _TINY, _TINY, 1.0, 0.5, (12, 16, 18),
         600.0),
    Case("gpu", "GPU-like, 32 slots", twin_speed.ENGINE, 32, 0, _LONG, _LONG, 0.3, 0.6, (4, 6, 8),
         900.0),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one run after its warm-up: people's attainment, and tokens per second of the batch's answers."""

    attainment: float
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class Beside:
    """A case over its traces. alone: people's attainment without a batch; fixed: the number that fits, 0 for
    none, with its means; paced: of each trace.
    """

    case: Case
    alone: tuple[float, ...]
    fixed: int
    fits: Seen
    paced: tuple[Seen, ...]

    @property
    def falls(self) -> list[float]:
        """People's loss of attainment beside the paced batch, by trace."""
        return [alone - seen.attainment for alone, seen in zip(self.alone, self.paced, strict=True)]

    @property
    def used(self) -> list[float]:
        """Tokens of the paced batch, of those that fit, by trace; empty where none fit."""
        return [] if not self.fixed else [seen.tokens_per_s / self.fits.tokens_per_s for seen in self.paced]

    @property
    def met(self) -> bool:
        """Whether people keep their objective, and the batch what it should get."""
        attained = float(np.mean([seen.attainment for seen in self.paced]))
        kept = attained >= ATTAINMENT and float(np.mean(self.falls)) <= FALL
        return kept and (not self.fixed or float(np.mean(self.used)) >= USED)


class BatchRun(ReferenceRun):
    """People by their plan, and a batch that sends as its pacer lets it."""

    def __init__(self, case: Case, people: Sequence[Planned], batch: Sequence[Planned], pacer: Pacer) -> None:
        self.people = len(people)
        senders = [Sender(PEOPLE)] * len(people) + [Sender(BATCH)] * len(batch)
        lanes = Lanes(
            (PriorityClass("chat", case.reserved), PriorityClass("batch")),
            (Lane("people", "chat"), Lane("night", "batch")),
        )
        limits = Limits(
            max_active=case.slots,
            queue_max=max(40, 4 * case.slots),
            queue_timeout_s=10.0,
            request_timeout_s=3000.0,
            queue_order=QueueOrder.FAIR,
        )
        super().__init__(Offered([*people, *batch], senders, lanes), case.profile, limits, 0, case.length_s)
        self._case = case
        self._pacer = pacer
        self._look_s, self._wake_s = 0.0, inf
        self._left = list(range(len(people) + len(batch) - 1, len(people) - 1, -1))
        self._flying: dict[int, float] = {}
        self._told = 0.0  # what the gateway would have counted of people: late or refused, and in time
        self._in_time = self._ttfts = self._shed = 0

    def next_arrival_s(self) -> float:
        """The next request of people, the next look, or when the batch may have something to send."""
        due_s = self.due_s[self.sent] if self.sent < self.people else inf
        next_s = min(due_s, self._look_s, self._wake_s)
        return next_s if next_s < self.until_s else inf

    def arrive(self, now_s: float) -> None:
        """One of people's, else the batch's turn."""
        if self.sent < self.people and self.due_s[self.sent] <= now_s:
            self.sent += 1
            self.send(self.sent - 1, now_s)
            return
        if self._look_s <= now_s:
            self._look_s = now_s + LOOK_EVERY_S
            self._pacer.saw(self._look(), BATCH, len(self._flying), now_s)
        self._wake_s = inf
        while self._left and self._pacer.may_send(len(self._flying), now_s):
            index = self._left.pop()
            self._flying[index] = self.due_s[index] = now_s
            self.send(index, now_s)
        if self._pacer.closed_until_s > now_s:
            self._wake_s = min(self._wake_s, self._pacer.closed_until_s)

    def ended(self, index: int, outcome: str, now_s: float) -> None:
        """Counted as the gateway does, and the batch goes on."""
        super().ended(index, outcome, now_s)
        if index < self.people:
            if outcome == "ok":
                self._ttfts += 1
                self._in_time += self.first_s[index] - self.due_s[index] <= self._case.ttft_s
            else:
                self._shed += 1
            return
        sent_s = self._flying.pop(index)
        if outcome == "ok":
            self._pacer.answered(len(self._flying) + 1)
        else:
            self._pacer.refused(sent_s, 1.0, now_s)
            self._left.append(index)
        self._wake_s = min(self._wake_s, now_s + ROUND_TRIP_S)

    def _look(self) -> Look:
        uses = {use.lane.name: LaneLook(use.waiting, held=use.held) for use in self.admission.uses}
        people = uses[PEOPLE]
        uses[PEOPLE] = LaneLook(people.waiting, self._shed, 0.0, self._ttfts, people.held)
        return Look(self.admission.queued, uses, {"chat": ClassLook(self._ttfts, self._in_time)})

    def seen(self) -> Seen:
        """Plays it, and sums it up."""
        done = self.run()
        n = self.people
        counted = done.due_s[:n] >= WARM_UP_S
        with np.errstate(invalid="ignore"):
            good = done.first_s[:n] - done.due_s[:n] <= self._case.ttft_s
            inside = (done.last_s[n:] >= WARM_UP_S) & (done.last_s[n:] < self.until_s)
        tokens = np.array([arrival.output_tokens for arrival in self.arrivals[n:]])[inside].sum()
        return Seen(float(good[counted].mean()) if n else 1.0, float(tokens) / (self.until_s - WARM_UP_S))


def run(case: Case, traces: int) -> Beside:
    """All settings on the same traces."""
    rate_per_s = case.load * _capacity_per_s(case)
    plans = [_plan(case, rate_per_s, seed) for seed in range(1, traces + 1)]

    def every(pacer: Callable[[], Pacer]) -> list[Seen]:
        return [BatchRun(case, people, batch, pacer()).seen() for people, batch in plans]

    alone = [seen.attainment for seen in every(lambda: Always(0))]
    best, fits = 0, Seen(float(np.mean(alone)), 0.0)
    for number in case.numbers:
        found = every(lambda: Always(number))  # noqa: B023 - called within this round
        mean = Seen(*(float(np.mean([getattr(s, name) for s in found])) for name in Seen.__slots__))
        kept = mean.attainment >= max(ATTAINMENT, float(np.mean(alone)) - FALL)
        if kept and mean.tokens_per_s > fits.tokens_per_s:
            best, fits = number, mean
    slo = SLO(ttft_s=case.ttft_s, attainment=ATTAINMENT)
    paced = every(lambda: Pace(case.slots + 2, slo))
    return Beside(case, tuple(alone), best, fits, tuple(paced))


def _capacity_per_s(case: Case) -> float:
    """Requests like people's that the engine completes in a second when always enough of them wait."""
    many = _drawn(np.random.default_rng(0), case.people, np.full(20_000, inf))
    run = BatchRun(case, [], many, Always(case.slots + 4))
    run.until_s = 90.0
    done = run.run()
    return float(((done.last_s >= WARM_UP_S) & (done.last_s < 90.0)).sum()) / (90.0 - WARM_UP_S)


def _plan(case: Case, rate_per_s: float, seed: int) -> tuple[list[Planned], list[Planned]]:
    rng = np.random.default_rng(seed)
    due_s = np.cumsum(rng.exponential(1 / rate_per_s, int(1.5 * rate_per_s * case.length_s) + 20))
    people = _drawn(rng, case.people, due_s[due_s < case.length_s])
    return people, _drawn(rng, case.batch, np.full(BATCH_REQUESTS, inf))


def _drawn(rng: np.random.Generator, lengths: Lengths, due_s: Times) -> list[Planned]:
    prompts, answers = (rng.integers(low, high + 1, len(due_s)) for low, high in lengths)
    rows = zip(due_s.tolist(), prompts.tolist(), answers.tolist(), strict=True)
    return [Planned(*row) for row in rows]
