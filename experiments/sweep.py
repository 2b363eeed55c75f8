"""`python -m experiments.sweep`: measure a matrix of gateway settings under load, recommend one, write the
report."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

from experiments.cli.progress import SweepProgress
from experiments.cli.sweep_args import parse
from experiments.cli.tune_args import of_sweep
from experiments.decide.recommendation import recommend as recommendation_of
from experiments.decide.recommendation import save as save_recommendation
from experiments.decide.recommendation_text import show as show_recommendation
from experiments.design import dry_run
from experiments.errors import UndecidedError, UserError, run_command
from experiments.measure import drift_doubts, interruption, preflight, speed_doubts
from experiments.measure.grid import run_grid
from experiments.racing import plan as race_plan
from experiments.racing.live_race import run_races
from experiments.run_folder.folder import RunDir, is_begun, open_or_create
from experiments.run_folder.reading import objective_of
from experiments.run_folder.run_state import RunStatus
from experiments.tuning import command as tuning_command


def main(argv: Sequence[str], prog: str = "python -m experiments.sweep") -> int:
    """The whole sweep; exit code 0, 1 when a cell could not be measured, 2 for a user's mistake, 3 when
    too much was disturbed to decide."""
    options = parse(argv, prog)
    design = options.spec.design
    if design.is_model:
        return tuning_command.main(of_sweep(argv), prog)
    if options.dry_run:
        print(dry_run.show(options.spec) if design.is_grid else race_plan.dry_run(options.spec))
        return 0
    # A polite kill ends like Ctrl-C: everything stopped, what was measured kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress = SweepProgress(options.quiet)
    if not is_begun(options.runs, options.out, options.spec, fresh=options.fresh):
        # One that is gone on with may only lack its report.
        options = preflight.check(options, progress.say)
    run, resumed = open_or_create(
        options.runs, options.out, options.spec, options.command, fresh=options.fresh
    )
    try:
        with progress:
            progress.say(f"{'resuming' if resumed else 'run'} {run.path}")
            measure = run_grid if design.is_grid else run_races
            failed = measure(options, run, progress)
        return _finish(run, failed)
    except KeyboardInterrupt:
        return interruption.stopped(run)
    finally:
        run.close()


def _finish(run: RunDir, failed: list[str]) -> int:
    """Recommendation and report from what is on disk; exit code 1 when either is wanting."""
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


if __name__ == "__main__":
    run_command(main)
