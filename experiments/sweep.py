"""`python -m experiments.sweep`: measure a matrix of gateway settings under load, recommend one, write the
report."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

from experiments.cli.progress import SweepProgress
from experiments.cli.sweep_args import SweepOptions, parse
from experiments.decide.recommendation import recommend as recommendation_of
from experiments.decide.recommendation import save as save_recommendation
from experiments.decide.recommendation_text import show as show_recommendation
from experiments.design import dry_run
from experiments.design.cells import Cell
from experiments.design.matrix import Matrix
from experiments.errors import UndecidedError, UserError, run_command
from experiments.measure import (
    drift_doubts,
    engine_setup,
    interruption,
    preflight,
    speed_doubts,
    sweep_stack,
)
from experiments.measure.cell import MeasurementContext
from experiments.measure.measure_again import measure_disturbed_again
from experiments.measure.run_cells import run_cells
from experiments.measure.sweep_stack import SweepStack
from experiments.run_folder.folder import RunDir, is_begun, open_or_create
from experiments.run_folder.reading import objective_of
from experiments.run_folder.run_state import RunStatus
from experiments.stack.engine_knobs import EngineKnobs
from loadtests.slo import SLO


def main(argv: Sequence[str], prog: str = "python -m experiments.sweep") -> int:
    """The whole sweep; exit code 0, 1 when a cell could not be measured, 2 for a user's mistake, 3 when
    too much was disturbed to decide."""
    options = parse(argv, prog)
    if options.dry_run:
        print(dry_run.show(options.spec))
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
            failed = _measure_all(options, run, progress)
        return _finish(run, failed)
    except KeyboardInterrupt:
        return interruption.stopped(run)
    finally:
        run.close()


def _measure_all(options: SweepOptions, run: RunDir, progress: SweepProgress) -> list[str]:
    """Every cell that is not done yet, one start of the engine for each of its values; returns the ids of
    those that failed twice.
    """
    failed: list[str] = []
    plan = engine_setup.planned(options, run)
    for knobs in options.spec.engine.values():
        if plan is not None and to_do(plan, run, knobs) == []:
            continue
        with sweep_stack.running(options, run.logs, run.prometheus_data, progress.say, knobs) as stack:
            seen = engine_setup.probe_engine(options, run, stack, progress)
            slo = engine_setup.settle_objective(options, run, stack, seen)
            plan = engine_setup.build(options, run, seen, slo)
            engine_setup.record(run, stack, plan)
            if plan.said:
                progress.say(plan.said)
            failed += _measure(plan, run, stack, slo, progress)
    return failed


def to_do(plan: Matrix, run: RunDir, knobs: EngineKnobs) -> list[Cell]:
    """The cells of this engine value that are not measured yet, in running order."""
    return [cell for of, cells in plan.engines for cell in cells if of == knobs and not run.is_done(cell.id)]


def _measure(plan: Matrix, run: RunDir, stack: SweepStack, slo: SLO, progress: SweepProgress) -> list[str]:
    """The cells of the engine value that runs, the unlucky ones once more; returns the ids that failed
    twice.
    """
    context = MeasurementContext(
        run, stack.admin, stack.metrics, slo, stack.engine.label, engine_setup.max_running(stack)
    )
    todo = to_do(plan, run, stack.knobs)
    _show(plan, run, todo, progress)
    failed, invalid = run_cells(todo, plan, context, stack, progress)
    again = _once_more(run, failed, invalid)
    if again:
        _show(plan, run, again, progress)
        failed, _ = run_cells(again, plan, context, stack, progress)

    def measure(cells: Sequence[Cell]) -> None:
        progress.say(f"{len(cells)} cells were disturbed and are measured again")
        _show(plan, run, list(cells), progress)
        run_cells(cells, plan, context, stack, progress)

    measure_disturbed_again(plan, run, _of_engine(plan, stack.knobs), measure)
    return [cell.id for cell in failed]


def _of_engine(plan: Matrix, knobs: EngineKnobs) -> list[Cell]:
    """The cells of this engine value."""
    return [cell for of, cells in plan.engines for cell in cells if of == knobs]


def _show(plan: Matrix, run: RunDir, first: list[Cell], progress: SweepProgress) -> None:
    """What is still to come: these cells, then those of the engine values that follow."""
    left = [cell for cell in plan.cells if not run.is_done(cell.id) and cell not in first]
    expected_s = [plan.phases[cell.load].expected_s for cell in (*first, *left)]
    progress.plan(expected_s, len(plan.cells) - len(expected_s))


def _once_more(run: RunDir, failed: list[Cell], invalid: list[Cell]) -> list[Cell]:
    """Cells worth a second try: a machine that was busy for ten seconds must not decide a sweep."""
    for cell in invalid:
        run.repeat_cell(cell.id, "invalid")
    return failed + invalid


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
