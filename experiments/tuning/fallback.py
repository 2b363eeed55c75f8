"""Where the model was refused: the matrix is measured, as much of it as the budget allows. And the report."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from experiments.cli.progress import SweepProgress
from experiments.decide.recommendation import recommend as recommendation_of
from experiments.decide.recommendation import save
from experiments.decide.recommendation_text import show as show_recommendation
from experiments.design import matrix as matrices
from experiments.errors import UserError
from experiments.run_folder import codec
from experiments.run_folder.prediction import EngineTime
from experiments.tuning import report
from experiments.tuning.calibration_used import Calibrated
from experiments.tuning.cell_runner import CellRunner, Ground


def measured_sweep(ground: Ground, model: Calibrated, progress: SweepProgress) -> list[str]:
    """Measure the spec's matrix instead, and recommend from that; returns what went wrong, in sentences."""
    why = f"the model was refused ({model.why}), so the matrix was measured instead"
    progress.say(why)
    ground.run.note("fallback", {"why": why})
    spec = ground.options.sweep.spec
    left_s = None
    if ground.options.budget_s is not None:
        left_s = max(1.0, ground.options.budget_s - ground.probe_s - model.engine_s)
    design = spec.design.model_copy(update={"budget_s": left_s})
    plan = matrices.build(spec.model_copy(update={"design": design}), ground.probe, ground.slo)
    if plan.said:
        progress.say(plan.said)
    CellRunner(replace(ground, grid=plan), progress).measure(plan.cells)
    missing = [cell.id for cell in plan.cells if not ground.run.is_done(cell.id)]
    problems = [f"{len(missing)} cells could not be measured: {', '.join(missing)}"] if missing else []
    used_s = ground.probe_s + model.engine_s + plan.expected_s
    grid_s = ground.probe_s + 3 * len(ground.grid.cells) / max(1, len(plan.cells)) * plan.expected_s
    cost = EngineTime(used_s, grid_s, used_s / grid_s)
    codec.write(ground.run.path / "predicted.json", report.refused(model, why, cost))
    try:
        found = recommendation_of(ground.run.path, ground.slo)
    except UserError as error:
        return [*problems, f"no recommendation: {error}"]
    found = replace(found, doubts=(why, *found.doubts))
    print(show_recommendation(found, save(ground.run.path, found)))
    return problems


def render(run: Path) -> list[str]:
    """The report of the run; returns what went wrong, in sentences."""
    done = subprocess.run([sys.executable, "-m", "reports", str(run)], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        return [f"the report failed; try again: python -m reports {run}"]
    print(f"report: {run / 'report.html'}")
    return []
