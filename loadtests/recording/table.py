"""Records as columns: what the summary computes on, small enough for millions of requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from loadtests import latency
from loadtests.bulk import no_collection
from loadtests.latency import Column
from loadtests.outcome import Outcome
from loadtests.record import RequestRecord
from loadtests.slo import SLO

Codes = NDArray[np.int16]
_TIMES = (
    "due_s", "sent_s", "first_s", "last_s", "finished_s", "output_tokens", "prompt_tokens", "queue_s",
    "upstream_s", "visible_s",
)  # fmt: skip
_NAMES = ("i", "phase", "class", "outcome", "attempts", "chunk_times_s", "chunk_tokens", *_TIMES)
_ABSENT: dict[str, object] = {"visible_s": None}
"""Keys that the records of earlier versions lack."""
_OUTCOMES = tuple(Outcome)
_CODE: dict[str, int] = {outcome: code for code, outcome in enumerate(_OUTCOMES)}
_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of n records; missing numbers are nan.

    numbers: the keys of `_TIMES` → float64 (n,). outcome, phase, cls: codes (n,) into `Outcome`, `phases`,
    `classes`. gap_s: float32, every gap between chunks with content, pooled in record order; gap_owner_n:
    gaps of each record (n,).
    """

    i: NDArray[np.int64]
    outcome: Codes
    phase: Codes
    cls: Codes
    phases: tuple[str, ...]
    classes: tuple[str, ...]
    attempts: NDArray[np.int32]
    numbers: dict[str, Column]
    gap_s: NDArray[np.float32]
    gap_owner_n: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.i)

    def ok(self) -> NDArray[np.bool_]:
        """Which requests were served (n,)."""
        return np.asarray(self.outcome == _CODE[Outcome.OK])

    def outcomes(self, mask: NDArray[np.bool_] | None = None) -> dict[str, int]:
        """How many requests (of the mask) ended in each way; ways that did not happen are left out."""
        counts = np.bincount(self.outcome if mask is None else self.outcome[mask], minlength=len(_OUTCOMES))
        return {outcome.value: int(n) for outcome, n in zip(_OUTCOMES, counts, strict=True) if n}

    def times(self, name: str) -> Column:
        """A time of each request in seconds (n,), stored or derived (`loadtests.latency`)."""
        moments = self.numbers
        if name in latency.SPANS:
            return latency.span_column_s(name, moments)
        if name == "tpot_s":
            return latency.tpot_column_s(moments["first_s"], moments["last_s"], moments["output_tokens"])
        return moments[name]

    def in_slo(self, slo: SLO) -> NDArray[np.bool_]:
        """`slo.judge` of every record (n,)."""
        return slo.judge_columns(self.ok(), self.times, self.of_class)

    def of_class(self, name: str) -> NDArray[np.bool_]:
        """Which records are of the class (n,)."""
        code = self.classes.index(name) if name in self.classes else -1
        return np.asarray(self.cls == code)


def from_records(records: Iterable[RequestRecord]) -> Table:
    """A table of records in memory."""
    take = attrgetter(*("cls" if name == "class" else name for name in _NAMES))
    return _from_rows(map(take, records))


def read(path: Path | str) -> Table:
    """A table of a `records.jsonl`; a last line torn by a crash is left out."""
    with Path(path).open("rb") as lines:
        take = itemgetter(*_NAMES)
        return _from_rows(take(_ABSENT | row) for row in _parsed(lines))


def _parsed(lines: Iterable[bytes]) -> Iterator[dict[str, object]]:
    for line in lines:
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError:
            if line.endswith(b"\n"):
                raise


@no_collection()
def _from_rows(rows: Iterator[tuple[Any, ...]]) -> Table:
    codes = {name: _Codes() for name in ("phase", "class")}
    kept = ("i", "outcome", "phase", "class", "attempts", *_TIMES)
    parts: dict[str, list[NDArray[np.generic]]] = {name: [] for name in kept}
    gaps: list[NDArray[np.float32]] = []
    counts: list[NDArray[np.int32]] = []
    while batch := list(islice(rows, _BATCH)):
        columns = dict(zip(_NAMES, zip(*batch, strict=True), strict=True))
        parts["i"].append(np.array(columns["i"], dtype=np.int64))
        parts["attempts"].append(np.array(columns["attempts"], dtype=np.int32))
        parts["outcome"].append(np.array([_CODE[name] for name in columns["outcome"]], dtype=np.int16))
        for name in ("phase", "class"):
            parts[name].append(codes[name].of(columns[name]))
        for name in _TIMES:
            parts[name].append(np.array(columns[name], dtype=np.float64))
        gap, count = _gaps(columns["chunk_times_s"], columns["chunk_tokens"])
        gaps.append(gap)
        counts.append(count)
    joined = {name: np.concatenate([*part, np.empty(0)]) for name, part in parts.items()}
    return Table(
        i=joined["i"].astype(np.int64),
        outcome=joined["outcome"].astype(np.int16),
        phase=joined["phase"].astype(np.int16),
        cls=joined["class"].astype(np.int16),
        phases=tuple(codes["phase"].names),
        classes=tuple(codes["class"].names),
        attempts=joined["attempts"].astype(np.int32),
        numbers={name: joined[name] for name in _TIMES},
        gap_s=np.concatenate([*gaps, np.empty(0, np.float32)]),
        gap_owner_n=np.concatenate([*counts, np.empty(0, np.int32)]),
    )


class _Codes:
    """Numbers for names, in the order they turn up."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}

    def of(self, column: Sequence[str]) -> Codes:
        names = self.names
        return np.array([names.setdefault(name, len(names)) for name in column], dtype=np.int16)


def _gaps(
    times: Sequence[Sequence[float]], tokens: Sequence[Sequence[int] | None]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Pooled gaps, and how many each record has.

    Where the tokens of a chunk are known, a gap that ended in k tokens counts as k gaps of a k-th of
    it (ITL per token).
    """
    lengths = np.fromiter(map(len, times), dtype=np.int64, count=len(times))
    flat = np.fromiter(chain.from_iterable(times), dtype=np.float64, count=int(lengths.sum()))
    gaps = np.diff(flat, prepend=0.0)
    inner = np.ones(len(flat), dtype=bool)
    inner[np.concatenate(([0], np.cumsum(lengths)[:-1]))[lengths > 0]] = False
    counts = np.maximum(lengths - 1, 0)
    if any(t is not None for t in tokens):
        repeats = np.ones(len(flat), dtype=np.int64)
        starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        for start, length, known in zip(starts.tolist(), lengths.tolist(), tokens, strict=True):
            if known is not None and len(known) == length:
                repeats[start : start + length] = np.maximum(known, 1)
        gaps = np.repeat((gaps / repeats)[inner], repeats[inner])
        owner = np.repeat(np.arange(len(times)), lengths)[inner]
        counts = np.bincount(owner, weights=repeats[inner], minlength=len(times))
    else:
        gaps = gaps[inner]
    return gaps.astype(np.float32), counts.astype(np.int32)
