"""Predicting a matrix from a calibration."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.calibration import calibrated
from experiments.design.cells import settings_of
from experiments.design.objective import DEFAULT_SLO, queue_timeout_s
from experiments.spec.sweep_spec import SweepSpec
from experiments.twin.capacity import predicted_capacity
from experiments.twin.predicted import Expected, Predictor
from experiments.twin.profile import Profile
from experiments.twin.simulate import Player
from loadtests.planning import plan
from loadtests.planning.mix import Mix
from loadtests.slo import SLO

SHOWN = ("goodput_per_s", "attainment", "rejected_ratio", "ttft_p95_s", "e2e_p95_s")


def run(args: argparse.Namespace, spec: SweepSpec, slo: SLO | None) -> int:
    """Predict the matrix of `spec` under `slo`, by default its own, write predictions.json, print the table;
    exit code 0. `args`: the flags of `predict`.

    Raises:
        UserError: there is no model.
    """
    model = calibrated.read(args.model)
    profile, draws = model.profile, model.samples(args.traces)
    slo = slo or SLO.parse(spec.slo.text or DEFAULT_SLO)
    lengths = (spec.load.prompt_tokens, spec.load.output_tokens)
    mix = Mix.fixed(*lengths)
    capacity_per_s = predicted_capacity(profile, [lengths])
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
