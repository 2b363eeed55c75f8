"""The engine's steps in a measured cell, from its requests' records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.run_folder import steps_table
from experiments.run_folder.cell_summary import CellSummary
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
    """Those of a finished cell; of an older one its records are read for it."""
    stored = steps_table.read(cell.path, *_place(cell.summary))
    return stored if stored is not None else steps_in_window(cell.summary, cell.records())


def save(summary: CellSummary, records: Iterable[RequestRecord], folder: Path) -> None:
    """Store the steps of a cell that was just measured."""
    steps_table.save(steps_in_window(summary, records), folder)


def steps_in_window(summary: CellSummary, records: Iterable[RequestRecord]) -> CellSteps:
    """Those that ended in the measured window, of requests of every phase; on the clock of Unix."""
    found = steps_of([_stream(record) for record in records if record.chunk_times_s])
    inside = found.between(summary.window.start_s, summary.window.end_s)
    return CellSteps.of(*_place(summary), inside)


def _place(summary: CellSummary) -> tuple[str, str, float, float]:
    """Id, engine, and where on the run's clock the measured window lies."""
    window = summary.window
    engine = str(summary.setting.engine) if summary.setting is not None else ""
    return summary.cell, engine, window.started_unix_s + window.start_s, window.length_s


def _stream(record: RequestRecord) -> _Stream:
    """The moment of sending is that at which the gateway passed it on; a chunk of two is of two steps."""
    times_s = record.chunk_times_s
    tokens = record.chunk_tokens
    if tokens is not None and len(tokens) == len(times_s):
        times_s = [at for at, count in zip(times_s, tokens, strict=True) for _ in range(max(1, count))]
    return _Stream((record.sent_s or 0.0) + (record.queue_s or 0.0), times_s, record.prompt_tokens or 0)
