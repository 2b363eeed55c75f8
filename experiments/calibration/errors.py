"""How wrong the twin is about a run: every measured cell played on its own arrivals, beside what was
measured.

    python -m experiments.calibration.errors runs/A runs/A-again --model runs/calibration

The prediction of a cell knows its plan, its limits and the calibration, not its measurements. `model_error`
is what remains of the error when the twin is as fast as the engine was in that very cell (`speed`, from its
steps); the rest is the machine's (`noise`). The same plan under the same setting measured twice, in one run
or several, shows how far two measurements differ: no model can be nearer than that. Writes errors.json into
the first run.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.calibration.calibrated import read
from experiments.calibration.compared import LEVEL, NAMES, compare, table
from experiments.calibration.measured_cells import read_run
from experiments.errors import UserError, run_command
from experiments.files import write_json
from loadtests.slo import SLO


def errors_of(runs: Sequence[Path], model: Path, count: int, objective: SLO | None = None) -> dict[str, Any]:
    """Everything that errors.json holds: `cells` of all runs and the `table` over them; goodput and
    attainment under `objective`, where it is given, instead of the run's own.

    Raises:
        UserError: a folder is no run, or the model is none.
    """
    calibrated = read(model)
    profile, samples = calibrated.profile, calibrated.samples(count)
    found: list[dict[str, Any]] = []
    for run in runs:
        state, cells = read_run(run)
        lag_s = float(np.median([cell.lag_s for cell in cells]))
        slo = objective or SLO.parse(state["slo"]["text"])
        if objective:
            cells = [cell.judged(objective) for cell in cells]
        compared = compare(cells, profile, samples, slo, lag_s)
        found += [{"run": run.name, **one} for one in compared]
    rows = table(found)
    inside = sum(int(row["inside"] or 0) for row in rows.values())
    return {
        "schema_version": 1,
        "model": {"name": profile.name, "source": profile.source, "draws": count},
        "coverage": {
            "level": LEVEL,
            "inside": inside,
            "of": sum(int(row["n"] or 0) for row in rows.values()),
        },
        "table": rows,
        "cells": found,
    }


def main(argv: Sequence[str]) -> int:
    """Compare, write errors.json, print the tables.

    Raises:
        UserError: arguments that do not parse.
    """
    args = _arguments(argv)
    found = errors_of(args.runs, args.model, args.draws, _objective(args.slo))
    write_json(args.runs[0] / "errors.json", found)
    console = Console()
    console.print(_cells_table(found["cells"]))
    console.print(_errors_table(found))
    print(args.runs[0] / "errors.json")
    return 0


def _cells_table(cells: Sequence[dict[str, Any]]) -> Table:
    shown = Table(title="predicted/measured − 1, signed; ( ) outside the 90 % interval")
    for column in ("run", "cell", "load", "speed", *NAMES):
        shown.add_column(column)
    for cell in cells:
        texts = [_text(cell["metrics"][name]) for name in NAMES]
        shown.add_row(cell["run"], cell["cell"], f"{cell['load']:.2f}", f"{cell['speed']:.3f}", *texts)
    return shown


def _text(metric: dict[str, Any]) -> str:
    if metric["error"] is None:
        return "-"
    text = f"{metric['error']:+.1%}"
    return text if metric["inside"] else f"({text})"


def _errors_table(found: dict[str, Any]) -> Table:
    within = found["coverage"]
    shown = Table(title=f"{within['inside']} of {within['of']} inside the {within['level']:.0%} interval")
    columns = ("n", "median", "p90", "mean", "model_median", "model_p90", "repeat_median", "repeat_p90")
    for column in ("metric", *columns, "inside"):
        shown.add_column(column)
    for name, row in found["table"].items():
        texts = ["-" if row[c] is None else f"{row[c]:.1%}" for c in columns[1:]]
        shown.add_row(name, str(row["n"]), *texts, str(row["inside"]))
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
