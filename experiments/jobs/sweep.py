"""A sweep by measuring: every cell, then recommendation and report."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from experiments.calibration import what_if
from experiments.cli.progress import SweepProgress
from experiments.cli.sweep_args import SweepOptions
from experiments.decide.recommendation import recommend as recommendation_of
from experiments.decide.recommendation_text import show as show_recommendation
from experiments.decide.recommended_files import save as save_recommendation
from experiments.errors import UndecidedError, UserError
from experiments.measure import drift_doubts, interruption, preflight, speed_doubts
from experiments.measure.grid import run_grid
from experiments.racing.live_race import run_races
from experiments.run_folder.folder import RunDir, is_begun, open_or_create
from experiments.run_folder.reading import objective_of
from experiments.run_folder.run_state import RunStatus


def run(options: SweepOptions) -> int:
    """The exit code: 0, 1 when a cell could not be measured, 3 when too much was disturbed to decide.

    Raises:
        UserError, EnvironmentProblem: what was asked for cannot be measured.
    """
    # A polite kill ends like Ctrl-C: everything stopped, what was measured kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress = SweepProgress(options.quiet)
    options = preflight.sharing_as_the_gateway(options)
    if not is_begun(options.runs, options.out, options.spec, fresh=options.fresh):
        # One that is gone on with may only lack its report.
        options = preflight.check(options, progress.say)
    folder, resumed = open_or_create(
        options.runs, options.out, options.spec, options.command, fresh=options.fresh
    )
    try:
        with progress:
            progress.say(f"{'resuming' if resumed else 'run'} {folder.path}")
            measure = run_grid if options.spec.design.is_grid else run_races
            failed = measure(options, folder, progress)
        return _finish(folder, failed, options.calibration)
    except KeyboardInterrupt:
        return interruption.stopped(folder)
    finally:
        folder.close()


def _finish(run: RunDir, failed: list[str], calibration: Path | None) -> int:
    """Recommendation, what-if and report from what is on disk; exit code 1 when either of the two that every
    run has is wanting."""
    status = RunStatus.PARTIAL if failed else RunStatus.COMPLETE
    run.save(replace(run.state, status=status, failed=tuple(failed)))
    undecided = 0
    problems = [f"{len(failed)} cells could not be measured: {', '.join(failed)}"] if failed else []
    for said in (*drift_doubts.doubt(run), *speed_doubts.said(speed_doubts.doubt(run))):
        print(f"headroom: {said}", file=sys.stderr)
    try:
        found = recommendation_of(run.path, objective_of(run.path))
    except UndecidedError as error:
        undecided = error.exit_code
        print(f"headroom: {error}", file=sys.stderr)
    except UserError as error:
        problems.append(f"no recommendation: {error}")
    else:
        print(show_recommendation(found, save_recommendation(run.path, found)))
    if calibration is not None:
        print(what_if.kept_or_why_not(run.path, calibration))
    report = subprocess.run(
        [sys.executable, "-m", "reports", str(run.path)], stdout=subprocess.DEVNULL, check=False
    )
    if report.returncode == 0:
        print(f"report: {run.path / 'report.html'}")
    else:
        problems.append(f"the report failed; try again: python -m reports {run.path}")
    for problem in problems:
        print(f"headroom: {problem}", file=sys.stderr)
    return 1 if problems else undecided
