"""Fits the twin to a run that was measured for another reason: no engine is needed.

The records hold when each chunk came, so the steps can be found in them as in a calibration. What a run does
not have is prompts alone; requests that met an idle engine take their place. Every third cell is not fitted
and decides whether the model is accepted.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.calibration.calibration import profile_of
from experiments.calibration.calibration_file import Calibration
from experiments.calibration.compared import compare, scored
from experiments.calibration.fit import NAMES, FitRow
from experiments.calibration.gate import ALLOWED, CalibrationGate, Deviation
from experiments.calibration.held_out import speed_of_steps
from experiments.calibration.measured_cells import ReplayCell, read_run
from experiments.calibration.step_rows import row_of_alone, rows_of_steps
from experiments.calibration.undisturbed import fit_undisturbed
from experiments.errors import UserError
from experiments.observe.ask import StreamedAnswer
from experiments.twin.profile import Profile
from loadtests.slo import SLO

HELD_OUT_EVERY = 3
IDLE_S = 0.005
"""A request meets an idle engine when no chunk came for this long, and none comes before its own first."""


def calibrate_from(path: Path, seed: int = 1) -> Calibration:
    """Fit the run in `path`, and judge the fit by the cells that were left out.

    Raises:
        UserError: no run folder, or too little in it to fit and to judge.
    """
    run = read_run(path)
    kept = [cell for k, cell in enumerate(run.cells) if k % HELD_OUT_EVERY != 1]
    judged = [cell for k, cell in enumerate(run.cells) if k % HELD_OUT_EVERY == 1]
    parts = [rows_of_steps(cell.answers) for cell in kept]
    alone = [row for cell in kept for row in rows_of_alone(cell.answers)]
    rows = [*alone, *(row for part in parts for row in part)]
    if not judged or len(rows) < 10 * len(NAMES):
        raise UserError(
            f"{path} has {len(run.cells)} finished cells with {len(rows)} steps that can be told: too little "
            "to fit a model and to judge it; calibrate against the engine"
        )
    fitted = fit_undisturbed(alone, parts, seed=seed, block=30)
    running = int(max((row.decoded for part in parts for row in part), default=1))
    profile = profile_of(fitted.fit, f"{run.label}, run {path.name}", run.facts, running)
    gate = _judge(judged, profile, run.slo)
    return Calibration(profile, run.label, run.facts, fitted, rows, gate, run=path.name)


def rows_of_alone(answers: Sequence[StreamedAnswer]) -> list[FitRow]:
    """Requests that met an idle engine: one step over their prompt, and the overhead."""
    chunks = sorted(t for answer in answers for t in answer.times_s)
    sent = sorted(answer.sent_s for answer in answers)
    rows = []
    for answer in answers:
        since, until = answer.sent_s, answer.first_s
        quiet = bisect.bisect(chunks, since - IDLE_S) == bisect.bisect_left(chunks, until)
        lonely = bisect.bisect(sent, until) - bisect.bisect_left(sent, since) == 1
        busy = any(other.sent_s < since <= other.last_s for other in answers if other is not answer)
        if quiet and lonely and not busy:
            rows.append(row_of_alone(until - since, answer.prompt_tokens))
    return rows


def _judge(cells: Sequence[ReplayCell], profile: Profile, slo: SLO) -> CalibrationGate:
    """As `held_out.judge`, over the cells that were not fitted: medians of their errors."""
    lag_s = float(np.median([cell.lag_s for cell in cells]))
    compared = compare(cells, profile, [], slo, lag_s)
    table: dict[str, Deviation] = {}
    for name in ("ttft_s_p95", "e2e_s_p95"):
        metrics = scored(compared, name)
        errors = [metric.model_error for metric in metrics if metric.model_error is not None]
        if errors:
            table[name] = Deviation(float(np.median(errors)), worst=max(errors, key=abs), n=len(errors))
    failed = [
        f"{name} of the {deviation.n} cells that were not fitted is off by {deviation.error:+.1%} "
        f"(median; allowed ±{ALLOWED[name]:.0%})"
        for name, deviation in table.items()
        if abs(deviation.error) > ALLOWED[name]
    ]
    if not table:
        failed = ["no cell that was not fitted has enough requests for a p95"]
    good = ", ".join(f"{name} {deviation.error:+.1%}" for name, deviation in table.items())
    steps = [row for cell in cells for row in rows_of_steps(cell.answers)]
    return CalibrationGate(
        passed=not failed,
        why="; ".join(failed) or f"the cells that were not fitted came out as predicted: {good} (median)",
        n=len(cells),
        speed_factor=speed_of_steps(steps, profile),
        held_out=table,
    )
