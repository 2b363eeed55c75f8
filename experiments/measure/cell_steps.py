"""The engine's steps in a measured cell, from its requests' records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments.run_folder.cell_summary import MeasuredWindow
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.speed.cell_steps import CellSteps
from experiments.speed.steps import steps_of
from loadtests.record import RequestRecord


@dataclass(frozen=True, slots=True)
class _Stream:
    sent_s: float
    times_s: Sequence[float]
    prompt_tokens: int


def cell_steps(cell: MeasuredCell) -> CellSteps:
    """Those of a finished cell; its records are read for it."""
    return steps_in_window(cell.id, str(cell.setting.engine), cell.summary.window, cell.records())


def steps_in_window(
    cell_id: str, engine: str, window: MeasuredWindow, records: Iterable[RequestRecord]
) -> CellSteps:
    """Those that ended in the measured window, of requests of every phase; on the clock of Unix."""
    found = steps_of([_stream(record) for record in records if record.chunk_times_s])
    began_s = window.started_unix_s + window.start_s
    return CellSteps.of(
        cell_id, engine, began_s, window.length_s, found.between(window.start_s, window.end_s)
    )


def _stream(record: RequestRecord) -> _Stream:
    """The moment of sending is that at which the gateway passed it on; a chunk of two tokens is of two steps.
    """
    times_s = record.chunk_times_s
    tokens = record.chunk_tokens
    if tokens is not None and len(tokens) == len(times_s):
        times_s = [at for at, count in zip(times_s, tokens, strict=True) for _ in range(max(1, count))]
    return _Stream(
        (record.sent_s or 0.0) + (record.queue_s or 0.0), times_s, record.prompt_tokens or 0
    )  # fmt: skip
