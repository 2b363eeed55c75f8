"""Predicting a matrix from a calibration, and the what-if of a measured run."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments.calibration import calibrated, forecast
from experiments.calibration.forecast import Forecast, Forecaster
from experiments.design.cells import settings_of
from experiments.design.objective import DEFAULT_SLO, queue_timeout_s
from experiments.errors import UserError
from experiments.files import write_json
from experiments.spec.simulated_traces import SimulatedTraces
from experiments.spec.sweep_spec import SweepSpec
from experiments.twin.predicted import Expected, of_class
from experiments.twin.simulate import Player
from loadtests.slo import SLO

WIDTH = 160
SHOWN = ("goodput_per_s", "attainment", "rejected_ratio", "ttft_p95_s", "e2e_p95_s")


def run(path: Path, spec: SweepSpec, slo: SLO | None, traces: SimulatedTraces) -> int:
    """Predict the matrix of `spec` with the calibration in `path`, under `slo` or else its own; write
    predictions.json, print the table. Exit code 0.

    Raises:
        UserError: there is no model, or the objective names a load class that the mix has not.
    """
    begun_s = time.perf_counter()
    if spec.load.recorded is not None:
        raise UserError("recorded traffic is not predicted: measure it with sweep or tune")
    slo = _objective(spec, slo)
    model = calibrated.read(path)
    profile = model.profile
    prompt_tokens, _ = spec.load.typical(profile.max_model_len)
    idle_ttft_s = profile.ingest_s + profile.step_time.duration_s(0, prompt_tokens, prompt_tokens)
    settings = settings_of(spec, queue_timeout_s(slo.longest_ttft_s, idle_ttft_s))
    loads = spec.load.parsed()
    player = Player(expected=traces.count * len(loads))
    forecaster = Forecaster(model, slo, traces, player)
    capacities_per_s: dict[str, float] = {}
    found: list[Forecast] = []
    for load in loads:
        workload = "the mix" if spec.load.mix else load.workload or spec.load.reference
        mix = spec.load.requests(load.workload, profile.max_model_len)
        if workload not in capacities_per_s:
            of = forecast.capacity_of_classes(model, mix) if spec.load.mix else None
            capacities_per_s[workload] = of or forecast.capacity_per_s(model, workload)
        found += forecaster.at(load.at_capacity(capacities_per_s[workload]), mix, settings)
    _print(found, slo, capacities_per_s, profile.source)
    print(f"{len(found)} cells in {time.perf_counter() - begun_s:.1f} s: {player}", file=sys.stderr)
    out = path / "predictions.json" if path.is_dir() else Path("predictions.json")
    write_json(
        out, {"slo": str(slo), "capacity_per_s": capacities_per_s, "cells": [_json(one) for one in found]}
    )
    print(out)
    return 0


def _objective(spec: SweepSpec, slo: SLO | None) -> SLO:
    try:
        return spec.load.objective(slo or SLO.parse(spec.slo.text or DEFAULT_SLO))
    except ValueError as error:
        raise UserError(f"--slo: {error}") from None


def what_if(run: Path, model: Path, traces: SimulatedTraces) -> int:
    """Predict around what a run measured, and write it into its folder. Exit code 0.

    Raises:
        UserError: why that cannot be.
    """
    from experiments.calibration import what_if as around  # a run folder's types take time to import

    made = around.keep(run, model, traces)
    print(around.said(made))
    print(run / around.FILE)
    return 0


def _json(one: Forecast) -> dict[str, object]:
    expected = {
        name: {end: x if math.isfinite(x) else None for end, x in asdict(value).items()}
        for name, value in one.expected.items()
    }
    load = {"load": str(one.load), "rate_per_s": one.load.rate_per_s}
    return {"setting": one.setting.to_json(), **load, "expected": expected}


def _print(found: Collection[Forecast], slo: SLO, capacities_per_s: dict[str, float], source: str) -> None:
    capacity = ", ".join(f"{name} {per_s:.2f}/s" for name, per_s in capacities_per_s.items())
    table = Table(title=f"PREDICTED, not measured: {source}; SLO {slo}; capacity {capacity}")
    for column in ("load", "setting"):
        table.add_column(column, no_wrap=True)
    shown = (*SHOWN, *(of_class(name) for name, _ in slo.classes))
    for column in shown:
        table.add_column(column)
    for one in sorted(found, key=lambda one: (str(one.load), -one.expected["goodput_per_s"].mean)):
        table.add_row(str(one.load), one.setting.name, *(_text(one.expected[name]) for name in shown))
    # In a file or a pipe nobody's window is the limit.
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


def _text(value: Expected) -> str:
    return f"{value.mean:.3g} [{value.low:.3g}, {value.high:.3g}]"
