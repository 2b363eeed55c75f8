"""Recorded traffic as what a load is made of: who asked for what, when, how alike, and how long they
stayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests.latency import Column
from loadtests.planning.load_class import LoadClass
from loadtests.planning.rate import RECORDED
from loadtests.planning.workloads import Counts
from loadtests.traffic import lengths, table
from loadtests.traffic.conversations import conversations, openers
from loadtests.traffic.prefix_tree import Prefixes, prefixes
from loadtests.traffic.segments import EVER, Span, TrafficError
from loadtests.traffic.traffic import Traffic
from loadtests.traffic.when import Times

_NO_LOAD = (400, 401, 403, 404, 405, 411, 413, 414, 415, 422, 431)
"""Statuses of requests that were none: no engine would have answered them."""
_SHORTEST_GAP_S = 1e-3


@dataclass(frozen=True, slots=True)
class Recorded:
    """n requests, ascending in time, n ≥ 1.

    arrival_s: (n,) seconds after the begin of the span, which is `span_s` long. conversation: (n,) number, or
    -1. leave_s: (n,) seconds after its arrival at which the client left, 0 where it stayed. lane: (n,) places
    in `lanes`, "" for none. prefixes: what each begins with as others do. notes: what reading left out or
    made up.
    """

    name: str
    arrival_s: Column
    span_s: float
    prompt_tokens: Counts
    output_tokens: Counts
    conversation: Counts
    leave_s: Column
    lane: Counts
    lanes: tuple[str, ...]
    prefixes: Sequence[Prefixes]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def rate_per_s(self) -> float:
        """Requests per second over the span."""
        return len(self) / self.span_s

    @property
    def mean_tokens(self) -> tuple[int, int]:
        """Mean lengths of prompt and answer."""
        return max(1, round(float(self.prompt_tokens.mean()))), max(
            1, round(float(self.output_tokens.mean()))
        )

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Recorded:
        """Those rows, by a mask (n,) or in the order of their places."""
        places = np.arange(len(self))[rows]
        return replace(
            self,
            arrival_s=self.arrival_s[places],
            prompt_tokens=self.prompt_tokens[places],
            output_tokens=self.output_tokens[places],
            conversation=self.conversation[places],
            leave_s=self.leave_s[places],
            lane=self.lane[places],
            prefixes=[self.prefixes[i] for i in places.tolist()],
        )

    def classes(self) -> tuple[LoadClass, ...]:
        """A load class of each lane, with its share of the requests; () where there are no lanes."""
        counts = np.bincount(self.lane, minlength=len(self.lanes))
        found = []
        for lane, count in zip(self.lanes, counts.tolist(), strict=True):
            tenant, _, priority_class = lane.partition("/")
            if lane and count:
                found.append(
                    LoadClass(class_of(lane), count / len(self), RECORDED, tenant, priority_class, None)
                )
        return tuple(found)


def class_of(lane: str) -> str:
    """The name of the load class that a lane is played as: `tenant.class`."""
    return lane.replace("/", ".") or RECORDED


def read(folder: Path, times: Times, seed: int = 1) -> Recorded:
    """What a recording's folder holds between two times. seed: ≥ 0, of what is drawn because nobody knows it.

    Raises:
        TrafficError: it cannot be read, or holds nothing of that time that could be played.
    """
    first_s, last_s = table.ends(folder)
    span = times.span(first_s, last_s)
    inside = Span(max(span.from_s, first_s), span.until_s if span.until_s <= last_s else EVER.until_s)
    return of(table.traffic(folder, inside).generating(), folder.name, inside, seed)


def of(traffic: Traffic, name: str, span: Span = EVER, seed: int = 1) -> Recorded:
    """The traffic of a span. Every request is in it, however it ended, but those that nobody could have
    answered. Of a span without an end, one mean gap follows on the last request.

    Raises:
        TrafficError: of no request the lengths are known.
    """
    asked = ~np.isin(traffic.status, _NO_LOAD)
    if not (asked & traffic.measured).any():
        raise TrafficError(f"{name}: holds no request whose lengths are known")
    prompts, outputs = lengths.prompt_tokens(traffic), lengths.output_tokens(traffic, seed)
    begin_unix_s, end_unix_s = _ends(traffic.arrived_unix_s, span)
    conversation = conversations(traffic, prompts)
    heads = conversation < 0
    heads[openers(conversation)] = True
    whole = Recorded(
        name,
        traffic.arrived_unix_s - begin_unix_s,
        end_unix_s - begin_unix_s,
        prompts,
        outputs,
        conversation,
        np.where(lengths.left(traffic), np.maximum(traffic.finished_s, 1e-3), 0.0),
        traffic.lane.codes,
        traffic.lane.names,
        prefixes(traffic, heads),
        tuple(_notes(traffic, asked, seed)),
    )
    return whole.take(asked)


def _ends(arrived_unix_s: Column, span: Span) -> tuple[float, float]:
    first_s, last_s = float(arrived_unix_s[0]), float(arrived_unix_s[-1])
    begin_s = first_s if span.from_s == EVER.from_s else span.from_s
    if span.until_s != EVER.until_s:
        return begin_s, span.until_s
    gaps = len(arrived_unix_s) - 1
    return begin_s, last_s + max(_SHORTEST_GAP_S, (last_s - first_s) / gaps if gaps else 1.0)


def _notes(traffic: Traffic, asked: NDArray[np.bool_], seed: int) -> list[str]:
    unknown, faulty = int((asked & ~traffic.measured).sum()), int((~asked).sum())
    notes = []
    if unknown:
        notes.append(
            f"{unknown} requests were refused, left or broke off: the lengths of their answers are drawn "
            f"from the others (seed {seed})"
        )
    if faulty:
        notes.append(f"{faulty} requests that were none (status 400 to 431) are left out")
    if traffic.damaged:
        notes.append(f"{traffic.damaged} damaged lines left out")
    return notes
