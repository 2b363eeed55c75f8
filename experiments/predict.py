"""Predicts a whole matrix of settings and loads from a calibration, in virtual time: no engine is needed.

Every cell is played on several arrival traces, each with another draw of the calibrated parameters; what is
printed is the mean and the 5–95 % range of single runs. Relative loads (0.7x) refer to the capacity that
the model itself predicts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.calibration import calibrated, held_out
from experiments.design.cells import settings_of
from experiments.design.objective import DEFAULT_SLO, queue_timeout_s
from experiments.errors import UserError, run_command
from experiments.spec import sweep_spec
from experiments.twin.predicted import Expected, Predictor
from experiments.twin.profile import Profile
from experiments.twin.simulate import Player
from loadtests.planning import plan
from loadtests.planning.mix import Mix
from loadtests.slo import SLO

SHOWN = ("goodput_per_s", "attainment", "rejected_ratio", "ttft_p95_s", "e2e_p95_s")

_EXAMPLES = """examples:
  %(prog)s --model runs/calibration
  %(prog)s --model runs/calibration --spec sweep.toml --traces 400 --slo 'ttft<=1s'
"""


def main(argv: Sequence[str], prog: str = "python -m experiments.predict") -> int:
    """Predict, write predictions.json beside the model, print the table.

    Raises:
        UserError: no such model, or arguments that do not parse.
    """
    args = _arguments(argv, prog)
    model = calibrated.read(args.model)
    profile, draws = model.profile, model.samples(args.traces)
    spec = sweep_spec.load(args.spec, {})
    slo = _slo(args.slo or spec.slo.text or DEFAULT_SLO)
    lengths = (spec.load.prompt_tokens, spec.load.output_tokens)
    mix = Mix.fixed(*lengths)
    capacity_per_s = held_out.predicted_capacity(profile, [lengths])
    idle_ttft_s = profile.ingest_s + profile.step_time.duration_s(0, lengths[0], lengths[0])
    settings = settings_of(spec, queue_timeout_s(slo.ttft_s, idle_ttft_s))
    started_s = time.perf_counter()
    player = Player()
    cells: list[dict[str, Any]] = []
    for load in (load.at_capacity(capacity_per_s) for load in spec.load.parsed()):
        rate_per_s = load.rate_per_s or 0.0
        traces = [
            plan.make(load.scenario, rate_per_s, args.warm_up_s, args.seconds, spec.load.seed + k, mix)
            for k in range(args.traces)
        ]
        predictor = Predictor(traces, draws, slo, player)
        for setting in sorted(settings, key=lambda setting: setting.smaller_first, reverse=True):
            expected = predictor.cell(setting.limits)
            cells.append(
                {"setting": setting, "load": str(load), "rate_per_s": rate_per_s, "expected": expected}
            )
    _print(cells, slo, capacity_per_s, profile)
    print(f"{len(cells)} cells in {time.perf_counter() - started_s:.1f} s: {player}", file=sys.stderr)
    document = [
        {
            **cell,
            "setting": asdict(cell["setting"]),
            "expected": {k: asdict(v) for k, v in cell["expected"].items()},
        }
        for cell in cells
    ]
    out = args.model / "predictions.json" if args.model.is_dir() else Path("predictions.json")
    out.write_text(
        json.dumps({"slo": str(slo), "capacity_per_s": capacity_per_s, "cells": document}, indent=1)
    )
    print(out)
    return 0


def _slo(text: str) -> SLO:
    try:
        return SLO.parse(text)
    except ValueError as error:
        raise UserError(str(error)) from error


def _print(cells: list[dict[str, Any]], slo: SLO, capacity_per_s: float, profile: Profile) -> None:
    table = Table(
        title=f"PREDICTED, not measured: {profile.source}; SLO {slo}; capacity {capacity_per_s:.2f}/s"
    )
    for column in ("load", "setting", *SHOWN):
        table.add_column(column)
    best = sorted(cells, key=lambda cell: (cell["load"], -cell["expected"]["goodput_per_s"].mean))
    for cell in best:
        shown = [_text(cell["expected"][name]) for name in SHOWN]
        table.add_row(cell["load"], cell["setting"].name, *shown)
    Console().print(table)


def _text(value: Expected) -> str:
    return f"{value.mean:.3g} [{value.low:.3g}, {value.high:.3g}]"


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model",
        type=Path,
        default=Path("runs/calibration"),
        help="folder of a calibration (default: %(default)s)",
    )
    parser.add_argument("--spec", type=Path, help="a sweep's TOML file (default: the sweep's defaults)")
    parser.add_argument("--slo", help="such as ttft<=1s,tpot<=60ms,attainment>=0.95")
    parser.add_argument(
        "--traces",
        type=int,
        default=100,
        help="arrival traces a cell; the range of 20 holds but 82%% of further runs (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds", type=float, default=120.0, help="measured window of a trace, s (default: %(default)s)"
    )
    parser.add_argument(
        "--warm-up-s", type=float, default=20.0, help="before it, not counted, s (default: %(default)s)"
    )
    args = parser.parse_args(argv)
    for name in ("traces", "seconds"):
        if getattr(args, name) <= 0:
            raise UserError(f"--{name} {getattr(args, name)} must be above 0")
    return args


if __name__ == "__main__":
    run_command(main)
