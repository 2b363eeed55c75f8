"""How wrong the twin is about a run: every measured cell played on its own arrivals,
beside what was measured.

    python -m experiments.calibration.errors runs/A runs/A-again --model runs/calibration

The prediction of a cell knows its plan, its limits and the calibration, not its measurements.
`model_error` is what remains of the error when the twin is as fast as the engine was in that very cell
(`speed`, from its steps); the rest is the machine's (`noise`). A further table is blind: each request
predicted at the speed that the engine had in other seconds of the cell. The same plan under the same setting
measured twice, in one run or several, shows how far two measurements differ: no model can be nearer than
that. Writes errors.json into the first run.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.calibration import blind
from experiments.calibration.blind import BlindCell, BlindErrors
from experiments.calibration.calibrated import read
from experiments.calibration.compared import (
    LEVEL,
    NAMES,
    ComparedCell,
    MetricErrors,
    compare,
    table,
)
from experiments.calibration.measured_cells import read_run
from experiments.errors import UserError, run_command
from experiments.files import write_json
from experiments.run_folder.prediction import PredictedMetric
from experiments.twin.profile import Profile
from loadtests.recording.share import wilson
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class Errors:
    """Everything that errors.json holds.

    Attributes:
        profile: the model, whose intervals are of so many `draws`.
        cells: (name of the run, cell), of all runs.
        table: the errors of each metric over them.
        blind: (name of the run, cell) at the speed of other seconds than those it is scored on.
    """

    profile: Profile
    draws: int
    cells: tuple[tuple[str, ComparedCell], ...]
    table: Mapping[str, MetricErrors]
    blind: tuple[tuple[str, BlindCell], ...]

    @property
    def inside(self) -> int:
        """Measured values in their interval, over all metrics."""
        return sum(row.inside for row in self.table.values())

    @property
    def counted(self) -> int:
        """Measured values that could be."""
        return sum(row.n for row in self.table.values())

    @property
    def blind_table(self) -> dict[str, BlindErrors]:
        """The errors of each metric at the speed of other seconds."""
        return blind.errors_of([cell for _, cell in self.blind])

    def to_json(self) -> dict[str, object]:
        """The content of errors.json."""
        return {
            "schema_version": 1,
            "model": {"name": self.profile.name, "source": self.profile.source, "draws": self.draws},
            "coverage": {"level": LEVEL, "inside": self.inside, "of": self.counted},
            "table": {name: asdict(row) for name, row in self.table.items()},
            "cells": [{"run": run, **cell.to_json()} for run, cell in self.cells],
            "blind_table": {name: asdict(row) for name, row in self.blind_table.items()},
            "blind_cells": [{"run": run, **asdict(cell)} for run, cell in self.blind],
        }


def errors_of(runs: Sequence[Path], model: Path, count: int, objective: SLO | None = None) -> Errors:
    """The errors over all cells of the runs; goodput and attainment under `objective`, where it is given,
    instead of the run's own.

    Raises:
        UserError: a folder is no run, or the model is none.
    """
    fitted = read(model)
    samples = fitted.samples(count)
    compared: list[tuple[str, ComparedCell]] = []
    at_others: list[tuple[str, BlindCell]] = []
    for path in runs:
        run = read_run(path)
        lag_s = float(np.median([cell.lag_s for cell in run.cells]))
        cells = [cell.judged(objective) for cell in run.cells] if objective else run.cells
        beside = compare(cells, fitted.profile, samples, objective or run.slo, lag_s)
        compared += [(path.name, cell) for cell in beside]
        draws = fitted.draws[:count]
        unseen = blind.predict_blind(cells, fitted.profile, draws, objective or run.slo, lag_s)
        at_others += [(path.name, cell) for cell in unseen]
    errors = table([cell for _, cell in compared])
    return Errors(fitted.profile, count, tuple(compared), errors, tuple(at_others))


def main(argv: Sequence[str]) -> int:
    """Compare, write errors.json, print the tables.

    Raises:
        UserError: arguments that do not parse.
    """
    args = _arguments(argv)
    errors = errors_of(args.runs, args.model, args.draws, _objective(args.slo))
    write_json(args.runs[0] / "errors.json", errors.to_json())
    console = Console()
    console.print(_cells_table(errors))
    console.print(_errors_table(errors))
    console.print(_blind_table(errors))
    print(args.runs[0] / "errors.json")
    return 0


def _cells_table(errors: Errors) -> Table:
    shown = Table(title="predicted/measured − 1, signed; ( ) outside the 90 % interval")
    for column in ("run", "cell", "load", "speed", *NAMES):
        shown.add_column(column)
    for run, cell in errors.cells:
        texts = [_text(cell.metrics[name]) for name in NAMES]
        shown.add_row(run, cell.cell, f"{cell.load:.2f}", f"{cell.speed:.3f}", *texts)
    return shown


def _text(metric: PredictedMetric) -> str:
    if metric.error is None:
        return "-"
    text = f"{metric.error:+.1%}"
    return text if metric.inside else f"({text})"


def _errors_table(errors: Errors) -> Table:
    shown = Table(title=f"{errors.inside} of {errors.counted} inside the {LEVEL:.0%} interval")
    columns = ("n", "median", "p90", "mean", "model_median", "model_p90", "repeat_median", "repeat_p90")
    for column in ("metric", *columns, "inside"):
        shown.add_column(column)
    for name, row in errors.table.items():
        shares = (getattr(row, column) for column in columns[1:])
        texts = ["-" if share is None else f"{share:.1%}" for share in shares]
        shown.add_row(name, str(row.n), *texts, str(row.inside))
    return shown


def _blind_table(errors: Errors) -> Table:
    rows = errors.blind_table
    inside, counted = sum(row.inside for row in rows.values()), sum(row.n for row in rows.values())
    share = ""
    if counted:
        low, high = wilson(inside, counted)
        share = f": {inside / counted:.0%} (95 %: {low:.0%} to {high:.0%})"
    shown = Table(
        title="blind: at the speed index of other seconds; "
        f"{inside} of {counted} inside the {LEVEL:.0%} interval{share}"
    )
    for column in ("metric", "n", "median", "p90", "inside"):
        shown.add_column(column)
    for name, row in rows.items():
        texts = ["-" if value is None else f"{value:.1%}" for value in (row.median, row.p90)]
        shown.add_row(name, str(row.n), *texts, str(row.inside))
    return shown


def _objective(text: str | None) -> SLO | None:
    try:
        return SLO.parse(text) if text else None
    except ValueError as error:
        raise UserError(str(error)) from error


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.calibration.errors",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", type=Path, nargs="+", help="folders of measured runs")
    parser.add_argument(
        "--model", type=Path, default=Path("runs/calibration"), help="folder of a calibration"
    )
    parser.add_argument(
        "--draws", type=int, default=60, help="engines for the intervals (default: %(default)s)"
    )
    parser.add_argument("--slo", help="judge goodput and attainment by this instead of the run's own")
    args = parser.parse_args(argv)
    if args.draws < 1:
        raise UserError(f"--draws {args.draws} must be at least 1")
    return args


if __name__ == "__main__":
    run_command(main)
