"""Turns the records of an earlier run into a trace file: what was asked for and when, to play it again."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from experiments.errors import UserError, run_command
from experiments.run_folder import record_table
from experiments.run_folder.measured_cell import finished_cells
from experiments.run_folder.reading import read_run
from loadtests.outcome import Outcome
from loadtests.planning import plan as plans
from loadtests.planning.plan import Arrival
from loadtests.record import RequestRecord
from loadtests.recording.run_folder import CELL, PLAN, RECORDS, RunFolder

_ABOUT = """The records of an earlier run as a trace file, to play it again. RUN is the folder of a sweep, of
one of its cells, or of a load run. Every arrival is in it, also those that were refused: lengths are those
that the engine counted, and the planned ones where it counted none."""
_EXAMPLES = """examples:
  %(prog)s runs/night --cell ma16-reject--burst-1.2x--b0 > trace.csv
  %(prog)s runs/load-1 --out trace.csv
"""
COLUMNS = ("arrival_s", "prompt_tokens", "output_tokens", "session", "prefix_group", "class")
Line = tuple[float, int, int, int | str, int | str, str]


def main(argv: Sequence[str], prog: str = "python -m experiments.export_trace") -> int:
    """Write the trace; exit code 0, or 2 for a user's mistake."""
    args = _arguments(argv, prog)
    folder = _folder(args.run, args.cell)
    records = sorted(_records(folder), key=lambda record: record.due_s)
    planned = _planned(folder)
    lines = list(_lines(records, planned))
    if not lines:
        raise UserError(f"{folder} holds no request whose lengths are known")
    if args.out is None:
        _write(lines, sys.stdout)
    else:
        try:
            with args.out.open("w", newline="", encoding="utf-8") as file:
                _write(lines, file)
        except OSError as error:
            raise UserError(f"cannot write {args.out}: {error.strerror}") from None
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


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a sweep, a cell or a load run")
    parser.add_argument("--cell", metavar="ID", help="which cell of the sweep (default: its only one)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the CSV file (default: standard output)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
