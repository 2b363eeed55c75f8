"""What a measured cell would have been on an engine some per cent slower, from its records alone.

A trace-driven simulation (the records are the trace; Jain, "The Art of Computer Systems Performance
Analysis", 1991, section 24.6): the recorded arrivals go once more through the gateway's own admission code,
each holding its slot as long as it did then, times the slowdown. So queues grow, refusals follow, and a full
engine serves less, none of which scaling the recorded latencies shows; and no model of the engine is needed.

Two things are not in the records and are assumed. Who was refused has no service time: it gets that of a
served request drawn from those due about the same time. And a step takes longer the more requests are in it,
so a slower engine, which has more of them at once, is slower still: how much so is read off the cell
(`_elasticity`). What is then predicted is a ratio: replay at the slowdown over replay at none, times
what was measured, so that what the replay itself is off by cancels to first order.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np
import numpy.typing as npt

from gateway.admission import Admission
from gateway.lane import NO_LANES, Lanes
from gateway.limits import Limits
from gateway.ticket import NOTHING_KNOWN, RequestFacts, State, Ticket
from loadtests.outcome import Outcome
from loadtests.record import RequestRecord
from loadtests.slo import SLO

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
_NEAR = 25
"""Served requests on either side of a refused one, from which it gets its service times."""
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class Served:
    """The requests of a cell, all phases, shape (n,) each, ascending in `due_s`; seconds, nan where it did
    not happen.

    `wait_s`: for a slot; `first_s`: from the slot to the first token; `hold_s`: from the slot to its end;
    `tokens`: of the answer, `prompt_tokens`: before it; `measured`: due in the measured window; `classes`:
    the load class of each, None where they are of one kind.
    """

    due_s: Floats
    wait_s: Floats
    first_s: Floats
    hold_s: Floats
    tokens: Floats
    measured: Flags
    classes: npt.NDArray[np.str_] | None = None
    prompt_tokens: Floats | None = None

    @property
    def ok(self) -> Flags:
        """Whose service is known."""
        return ~np.isnan(self.hold_s)

    def of_class(self, name: str) -> Flags:
        """Which requests are of the load class."""
        if self.classes is None:
            return np.zeros(len(self.due_s), dtype=bool)
        return np.asarray(self.classes == name)


def served(records: Sequence[RequestRecord]) -> Served:
    """From the records of a cell, in order of arrival; only `ok` ones whose wait is known were served."""
    kept = [record for record in records if record.outcome is not Outcome.NOT_SENT]
    rows = [_row(record) for record in kept]
    due_s, wait_s, first_s, hold_s, tokens = np.array(rows, dtype=float).reshape(-1, 5).T
    measured = np.array([r.phase == "measure" for r in kept])
    prompts = np.array([r.prompt_tokens or float("nan") for r in kept], dtype=float)
    classes = np.array([r.cls for r in kept], dtype=str)
    return Served(due_s, wait_s, first_s, hold_s, tokens, measured, classes, prompts)


def _row(record: RequestRecord) -> tuple[float, float, float, float, float]:
    nan = float("nan")
    ends = (record.first_s, record.last_s)
    if record.outcome is not Outcome.OK or record.queue_s is None or None in ends:
        return record.due_s, nan, nan, nan, nan
    assert record.first_s is not None
    assert record.last_s is not None
    slot_s = (record.sent_s if record.sent_s is not None else record.due_s) + record.queue_s
    tokens = float(record.output_tokens) if record.output_tokens is not None else nan
    return record.due_s, slot_s - record.due_s, record.first_s - slot_s, record.last_s - slot_s, tokens


@dataclass(frozen=True, slots=True)
class Replayed:
    """Of one replay: the share of the measured requests that was good, and how many were served."""

    attainment: float
    served_ratio: float


@dataclass(frozen=True, slots=True)
class Through:
    """The lanes that a cell went through: `lane_of`, by load class, names that of its requests."""

    lanes: Lanes = NO_LANES
    lane_of: Mapping[str, str] = field(default_factory=dict)


class Replay:
    """A cell's records, ready to be replayed at slowdowns; `seed` draws the service of those refused.

    Slots are counted in requests: what the engine's KV cache held is not in the records.
    """

    def __init__(self, cell: Served, limits: Limits, seed: int = 0, through: Through | None = None) -> None:
        self._cell = cell
        self._limits = limits
        self._first_s, self._hold_s, self._tokens = _completed(cell, np.random.default_rng(seed))
        self._lanes = NO_LANES if through is None else through.lanes
        self._facts = None if through is None else _facts(cell, self._tokens, through)
        self._running = _running(cell.due_s + cell.wait_s, cell.due_s + cell.wait_s + cell.hold_s)
        self._elasticity = _elasticity(cell, self._running)

    def measured(self, slo: SLO, load_class: str | None = None) -> float:
        """The share of the measured requests (of a class: None for all) that was good, as recorded: no
        replay."""
        begin_s = np.where(self._cell.ok, self._cell.due_s + self._cell.wait_s, np.nan)
        return self._judged(begin_s, np.ones(len(begin_s)), slo, load_class).attainment

    def at(self, slowdown: float, slo: SLO, load_class: str | None = None) -> Replayed:
        """On an engine that takes `slowdown` times as long (1: as measured), judged under `slo`; of one load
        class, or of all."""
        begin_s, longer = self._play(np.full(len(self._first_s), slowdown))
        if self._elasticity > 0 and slowdown != 1:
            before, _ = self._play(np.ones(len(self._first_s)))
            usual = _running(before, before + self._hold_s)
            fuller = _running(begin_s, begin_s + longer * self._hold_s) / np.maximum(usual, 1e-9)
            fuller = np.where(np.isnan(fuller), 1.0, fuller)
            begin_s, longer = self._play(slowdown * np.clip(fuller, 0.5, 2.0) ** self._elasticity)
        return self._judged(begin_s, longer, slo, load_class)

    def _play(self, longer: Floats) -> tuple[Floats, Floats]:
        """When each got its slot (nan: never), if each service takes `longer` times as long."""
        due_s, hold_s = self._cell.due_s, self._hold_s * longer
        start_s = float(due_s[0]) if len(due_s) else 0.0
        admission, facts = Admission(self._limits, start_s, lanes=self._lanes), self._facts
        begin_s = np.full(len(due_s), np.nan)
        ends: list[tuple[float, int, Ticket]] = []

        def start(tickets: Sequence[Ticket], now_s: float) -> None:
            for ticket in tickets:
                index: int = ticket.owner  # type: ignore[assignment]  # we put the index there
                begin_s[index] = now_s
                heapq.heappush(ends, (now_s + float(hold_s[index]), index, ticket))

        def until(time_s: float) -> None:
            while True:
                next_s = min(ends[0][0] if ends else inf, admission.next_deadline_s)
                if next_s > time_s or next_s == inf:
                    return
                if admission.next_deadline_s <= next_s:
                    start(admission.expire(next_s).granted, next_s)
                else:
                    _, _, ticket = heapq.heappop(ends)
                    start(admission.release(ticket, next_s).granted, next_s)

        for index, now_s in enumerate(due_s.tolist()):
            until(now_s)
            known = NOTHING_KNOWN if facts is None else facts[index]
            ticket = admission.offer(now_s, request=known, owner=index)
            if ticket.state is State.RUNNING:
                start((ticket,), now_s)
        until(inf)
        return begin_s, longer

    def _judged(self, begin_s: Floats, longer: Floats, slo: SLO, load_class: str | None) -> Replayed:
        wait_s = begin_s - self._cell.due_s
        first_s, hold_s = self._first_s * longer, self._hold_s * longer
        gaps = np.maximum(self._tokens - 1, 1)
        spans = {
            "ttft_s": wait_s + first_s,
            "ttfv_s": wait_s + first_s,
            "tpot_s": np.where(self._tokens >= 2, (hold_s - first_s) / gaps, np.nan),
            "e2e_s": wait_s + hold_s,
        }
        of = (
            self._cell.measured
            if load_class is None
            else self._cell.measured & self._cell.of_class(load_class)
        )
        begun = ~np.isnan(begin_s) & of
        # Whoever begins has its first token.
        moments = dict.fromkeys(("first_s", "visible_s"), begin_s)
        good = slo.judge_columns(begun, (spans | moments).__getitem__, self._cell.of_class)
        offered = max(1, int(of.sum()))
        return Replayed(float(good.sum()) / offered, float(begun.sum()) / offered)


def _facts(cell: Served, tokens: Floats, through: Through) -> list[RequestFacts]:
    """What the gateway knew of each request: its lane, and about how many tokens it costs that."""
    classes = [""] * len(tokens) if cell.classes is None else cell.classes.tolist()
    prompts = np.zeros(len(tokens)) if cell.prompt_tokens is None else np.nan_to_num(cell.prompt_tokens)
    costs = (prompts + np.nan_to_num(tokens)).tolist()
    return [
        RequestFacts(lane=through.lane_of.get(name, ""), cost_tokens=cost)
        for name, cost in zip(classes, costs, strict=True)
    ]


def _completed(cell: Served, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Service times and lengths, those of refused requests drawn from served neighbours."""
    known = np.flatnonzero(cell.ok)
    columns = (cell.first_s.copy(), cell.hold_s.copy(), cell.tokens.copy())
    if not len(known):
        return columns
    unknown = np.flatnonzero(~cell.ok)
    places = np.searchsorted(known, unknown) + rng.integers(-_NEAR, _NEAR, len(unknown))
    donors = known[np.clip(places, 0, len(known) - 1)]
    for column in columns:
        column[unknown] = column[donors]
    return columns


def _running(begin_s: Floats, end_s: Floats) -> Floats:
    """For each request the mean number of requests that ran during its service (itself included); nan for
    those that did not run."""
    ran = ~(np.isnan(begin_s) | np.isnan(end_s))
    times = np.concatenate([begin_s[ran], end_s[ran]])
    order = np.argsort(times, kind="stable")
    times = times[order]
    count = np.cumsum(np.where(order < ran.sum(), 1.0, -1.0))
    area = np.concatenate([[0.0], np.cumsum(count[:-1] * np.diff(times))])
    span_s = np.maximum(end_s - begin_s, 1e-9)
    found = np.full(len(begin_s), np.nan)
    if len(times):
        between = np.interp(end_s[ran], times, area) - np.interp(begin_s[ran], times, area)
        found[ran] = between / span_s[ran]
    return found


def _elasticity(cell: Served, running: Floats) -> float:
    """By how many per cent a request's time per token grows for one per cent more that run with it, 0 to 1:
    the slope of a least-squares line in logarithms."""
    some = cell.ok & (cell.tokens >= 2) & (running > 0)
    if some.sum() < _FEWEST:
        return 0.0
    x = np.log(running[some])
    y = np.log((cell.hold_s - cell.first_s)[some] / (cell.tokens[some] - 1))
    finite = np.isfinite(y)
    x, y = x[finite] - x[finite].mean(), y[finite]
    spread = float((x**2).sum())
    return float(np.clip((x * y).sum() / spread, 0.0, 1.0)) if spread > 1e-6 else 0.0
