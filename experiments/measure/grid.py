"""The whole matrix, cell by cell: one start of the engine for each of its values."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.cli.progress import SweepProgress
from experiments.cli.sweep_args import SweepOptions
from experiments.design.cells import Cell
from experiments.design.matrix import Matrix
from experiments.measure import engine_setup, sweep_stack
from experiments.measure.cell import MeasurementContext
from experiments.measure.measure_again import measure_disturbed_again
from experiments.measure.run_cells import run_cells
from experiments.measure.sweep_stack import SweepStack
from experiments.run_folder.folder import RunDir
from experiments.stack.engine_knobs import EngineKnobs
from loadtests.slo import SLO


def run_grid(options: SweepOptions, run: RunDir, progress: SweepProgress) -> list[str]:
    """Every cell that is not done yet; returns the ids of those that failed twice."""
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
