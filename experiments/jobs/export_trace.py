"""Writing the records of a run as a trace."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from experiments.errors import UserError
from experiments.run_folder import record_table
from experiments.run_folder.measured_cell import finished_cells
from experiments.run_folder.reading import read_run
from loadtests.outcome import Outcome
from loadtests.planning import plan as plans
from loadtests.planning.arrival import Arrival
from loadtests.record import RequestRecord
from loadtests.recording.run_folder import CELL, PLAN, RECORDS, RunFolder

COLUMNS = ("arrival_s", "prompt_tokens", "output_tokens", "session", "prefix_group", "class")
Line = tuple[float, int, int, int | str, int | str, str]


def run(of: Path, cell: str | None, out: Path | None) -> int:
    """Write the trace of a run's folder to `out`, or to the standard output; exit code 0. `cell`: which one,
    None for the only one.

    Raises:
        UserError: there is no such cell, nothing to write, or it cannot be written.
    """
    folder = _folder(of, cell)
    records = sorted(_records(folder), key=lambda record: record.due_s)
    planned = _planned(folder)
    lines = list(_lines(records, planned))
    if not lines:
        raise UserError(f"{folder} holds no request whose lengths are known")
    if out is None:
        _write(lines, sys.stdout)
    else:
        try:
            with out.open("w", newline="", encoding="utf-8") as file:
                _write(lines, file)
        except OSError as error:
            raise UserError(f"cannot write {out}: {error.strerror}") from None
    unknown = len(records) - len(lines)
    left_out = f"; {unknown} of unknown length left out" if unknown else ""
    print(f"{len(lines)} of {len(records)} requests of {folder}{left_out}", file=sys.stderr)
    return 0


def _folder(run: Path, cell: str | None) -> Path:
    """The folder whose records are asked for. Raises UserError."""
    if not (run / "run.json").exists():
        if (run / "cells" / CELL).is_dir() and cell in (None, CELL):
            return run / "cells" / CELL
        if cell is not None:
            raise UserError(f"--cell {cell}: {run} is not the folder of a sweep, it has no run.json")
        return run
    read_run(run)
    cells = {found.id: found.path for found in finished_cells(run)}
    if cell is None and len(cells) == 1:
        return next(iter(cells.values()))
    if cell not in cells:
        what = f"--cell {cell}: no finished cell of {run}" if cell else f"{run} has {len(cells)} cells"
        raise UserError(f"{what}; give --cell, one of {', '.join(cells) or '(none)'}")
    return cells[cell]


def _records(folder: Path) -> Iterable[RequestRecord]:
    try:
        if (folder / "records.parquet").exists():
            return record_table.read(folder)
        if (folder / RECORDS).exists():
            return list(RunFolder(folder).records())
    except (OSError, ValueError) as error:
        raise UserError(f"the records of {folder} cannot be read: {error}") from None
    raise UserError(f"{folder} holds no records: it is the folder of no sweep, cell or load run")


def _planned(folder: Path) -> tuple[Arrival, ...]:
    """The plan's arrivals, none where the folder holds no plan. Raises UserError."""
    if not (folder / PLAN).exists():
        return ()
    try:
        return plans.load(folder / PLAN).arrivals
    except ValueError as error:
        raise UserError(str(error)) from None


def _lines(records: Iterable[RequestRecord], planned: Sequence[Arrival]) -> Iterator[Line]:
    for record in records:
        # A closed loop draws its requests from the plan round and round.
        own = planned[record.i % len(planned)] if planned else None
        served = record.outcome == Outcome.OK
        prompt = record.prompt_tokens or (own.prompt_tokens if own else 0)
        output = (record.output_tokens if served else None) or (own.output_tokens if own else 0)
        if prompt and output:
            group = own.prefix_group if own else -1
            yield (
                record.due_s,
                prompt,
                output,
                record.session if record.session >= 0 else "",
                group if group >= 0 else "",
                record.cls,
            )


def _write(lines: Iterable[Line], file: IO[str]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(lines)
