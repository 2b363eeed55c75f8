"""Where the model was refused: the matrix is measured, as much of it as the budget allows. And the report."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from experiments.cli.progress import SweepProgress
from experiments.decide.recommendation import recommend as recommendation_of
from experiments.decide.recommendation_text import show as show_recommendation
from experiments.decide.recommended_files import save
from experiments.errors import UserError
from experiments.racing import live_race
from experiments.run_folder import codec
from experiments.run_folder.prediction import EngineTime
from experiments.tuning import report
from experiments.tuning.calibration_used import Calibrated
from experiments.tuning.cell_runner import GRID_TRACES, TuneContext


def measured_sweep(context: TuneContext, model: Calibrated, progress: SweepProgress) -> list[str]:
    """Measure the spec's matrix instead, and recommend from that; returns what went wrong, in sentences."""
    why = f"the model was refused ({model.why}), so the matrix was raced instead"
    progress.say(why)
    context.run.note("fallback", {"why": why})
    sweep = context.options.sweep
    left_s = None
    if context.options.budget_s is not None:
        left_s = max(1.0, context.options.budget_s - context.probe_s - model.engine_s)
    design = sweep.spec.design.model_copy(update={"budget_s": left_s})
    sweep = replace(sweep, spec=sweep.spec.model_copy(update={"design": design}))
    plan = live_race.planned(sweep, context.run, context.probe, context.slo)
    begun_s = time.monotonic()
    missing = live_race.run_race(sweep.spec, plan, context.measured_by, context.stack, progress)
    problems = [f"{len(missing)} cells could not be measured: {', '.join(missing)}"] if missing else []
    used_s = context.probe_s + model.engine_s + time.monotonic() - begun_s
    grid_s = context.probe_s + GRID_TRACES * context.grid.expected_s
    cost = EngineTime(used_s, grid_s, used_s / grid_s)
    codec.write(context.run.path / "predicted.json", report.refused(model, why, cost))
    try:
        found = recommendation_of(context.run.path, context.slo)
    except UserError as error:
        return [*problems, f"no recommendation: {error}"]
    found = replace(found, doubts=(why, *found.doubts))
    print(show_recommendation(found, save(context.run.path, found)))
    return problems


def render(run: Path) -> list[str]:
    """The report of the run; returns what went wrong, in sentences."""
    done = subprocess.run([sys.executable, "-m", "reports", str(run)], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        return [f"the report failed; try again: python -m reports {run}"]
    print(f"report: {run / 'report.html'}")
    return []
