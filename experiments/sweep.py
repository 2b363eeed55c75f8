"""`python -m experiments.sweep`: measure a matrix of gateway settings under load, recommend one, write the
report."""

import signal
import subprocess
import sys
from collections.abc import Sequence

from experiments import dry_run, matrix, opening, recommend, run_dir, sweep_stack
from experiments.cells_in_turn import in_turn
from experiments.command import run_command
from experiments.errors import UserError
from experiments.measure import Bench
from experiments.points import Cell
from experiments.progress import SweepProgress
from experiments.recommendation import recommend as recommendation_of
from experiments.recommendation import save as save_recommendation
from experiments.run_dir import RunDir
from experiments.sweep_args import SweepOptions, parse
from loadtests.slo import SLO


def main(argv: Sequence[str]) -> int:
    """The whole sweep; exit code 0, 1 when a cell could not be measured, 2 for a user's mistake."""
    options = parse(argv)
    if options.dry_run:
        print(dry_run.show(options.spec))
        return 0
    # A polite kill ends like Ctrl-C: everything stopped, what was measured kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run, resumed = run_dir.open_or_create(
        options.runs, options.out, options.spec, options.command, fresh=options.fresh
    )
    try:
        with SweepProgress(options.quiet) as progress:
            progress.say(f"{'resuming' if resumed else 'run'} {run.path}")
            failed = _measure_all(options, run, progress)
        return _finish(run, failed)
    except KeyboardInterrupt:
        run.update({"status": "partial"})
        print(
            f"headroom: stopped; {run.path} holds what was measured: the same command goes on, "
            f"python -m reports {run.path} shows it",
            file=sys.stderr,
        )
        return 130
    finally:
        run.close()


def _measure_all(options: SweepOptions, run: RunDir, progress: SweepProgress) -> list[str]:
    """Every cell that is not done yet; returns the ids of those that failed twice."""
    with sweep_stack.running(options, run.logs, run.prometheus_data, progress.say) as stack:
        seen = opening.probe_engine(options, run, stack, progress)
        slo = opening.settle_objective(options, run, stack, seen)
        plan = matrix.build(options.spec, seen, slo)
        opening.record(run, stack, plan)
        if plan.said:
            progress.say(plan.said)
        bench = Bench(run, stack.admin, stack.metrics, slo, stack.engine.label, opening.max_running(stack))
        todo = [cell for cell in plan.cells if not run.is_done(cell.id)]
        progress.plan([plan.phases[cell.load].expected_s for cell in todo], len(plan.cells) - len(todo))
        failed, invalid = in_turn(todo, plan, bench, stack, progress)
        again = _once_more(run, failed, invalid)
        if again:
            progress.plan([plan.phases[cell.load].expected_s for cell in again], len(plan.cells) - len(again))
        return [cell.id for cell in in_turn(again, plan, bench, stack, progress)[0]]


def _once_more(run: RunDir, failed: list[Cell], invalid: list[Cell]) -> list[Cell]:
    """Cells worth a second try: a machine that was busy for ten seconds must not decide a sweep."""
    for cell in invalid:
        run.repeat_cell(cell.id, "invalid")
    return failed + invalid


def _finish(run: RunDir, failed: list[str]) -> int:
    """Recommendation and report from what is on disk; exit code 1 when either is wanting."""
    run.update({"status": "partial" if failed else "complete", "failed": failed})
    problems = [f"{len(failed)} cells could not be measured: {', '.join(failed)}"] if failed else []
    try:
        found = recommendation_of(run.path, SLO.parse(run.state["slo"]["text"]))
    except UserError as error:
        problems.append(f"no recommendation: {error}")
    else:
        print(recommend.show(found, save_recommendation(run.path, found)))
    report = subprocess.run(
        [sys.executable, "-m", "reports", str(run.path)], stdout=subprocess.DEVNULL, check=False
    )
    if report.returncode == 0:
        print(f"report: {run.path / 'report.html'}")
    else:
        problems.append(f"the report failed; try again: python -m reports {run.path}")
    for problem in problems:
        print(f"headroom: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    run_command(main)
