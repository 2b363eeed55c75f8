"""Cells one after another, with nothing but the switch of the limits between them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from experiments.cli.progress import SweepProgress
from experiments.design.cells import Cell
from experiments.design.matrix import Matrix
from experiments.errors import EnvironmentProblem
from experiments.measure import prompt_cost
from experiments.measure.annotation import annotate
from experiments.measure.cell import LOG_NAME, MeasurementContext, PreparedCell, measure, save
from experiments.measure.saving import BackgroundSaver
from experiments.measure.steadiness import began_early
from experiments.measure.sweep_stack import SweepStack
from experiments.run_folder.doubt import DoubtCode
from experiments.stack import load


def run_cells(
    cells: Sequence[Cell],
    matrix: Matrix,
    context: MeasurementContext,
    stack: SweepStack,
    progress: SweepProgress,
) -> tuple[list[Cell], list[Cell]]:
    """Measure `cells` in order; which of them failed, and which were measured but came out invalid in a way
    that a second try may mend.

    A cell whose warm-up was not over when its window began is measured again, with the whole of it.
    """
    failed, invalid, early = _in_order(cells, matrix, context, stack, progress)
    if early:
        progress.say(f"in {len(early)} cells the warm-up was not over: measured again with a longer one")
        for cell in early:
            context.run.repeat_cell(cell.id, "warm-up")
        in_full = replace(matrix, in_full=True)
        failed_again, invalid_again, _ = _in_order(early, in_full, context, stack, progress)
        failed = [*failed, *failed_again]
        invalid = [*(cell for cell in invalid if cell not in early), *invalid_again]
    return failed, invalid


def _in_order(
    cells: Sequence[Cell],
    matrix: Matrix,
    context: MeasurementContext,
    stack: SweepStack,
    progress: SweepProgress,
) -> tuple[list[Cell], list[Cell], list[Cell]]:
    """The cells once: which failed, which came out invalid, and of which the warm-up was not over.

    The next cell's generator is started while the last requests of a cell drain, and a cell is saved while
    the next one warms up: both fall into time that is not measured.
    """
    failed: list[Cell] = []
    invalid: list[Cell] = []
    early: list[Cell] = []
    ready: dict[int, PreparedCell] = {}

    def fail(cell: Cell, error: EnvironmentProblem) -> None:
        context.run.fail_cell(cell.id, str(error))
        progress.say(f"{cell.id} failed: {error}")
        failed.append(cell)

    def take_saved() -> None:
        for cell, summary in saver.results():
            if isinstance(summary, EnvironmentProblem):
                fail(cell, summary)
                continue
            progress.cell_ends(cell.id, summary)
            annotate(stack.annotations, summary)
            if summary.window.warm_up_s < matrix.phases[cell.load].warm_up_s and began_early(summary):
                early.append(cell)
            # What an engine does with lengths, it does again.
            if summary.invalid_codes and DoubtCode.LENGTHS not in summary.invalid_codes:
                invalid.append(cell)

    def prepare(index: int) -> None:
        take_saved()
        if index < len(cells):
            ready[index] = _prepare(cells[index], matrix, context, stack, index)

    with BackgroundSaver(stack.load_cpus) as saver:
        try:
            for index, cell in enumerate(cells):
                progress.cell_begins(cell.id)
                try:
                    if index not in ready:
                        prepare(index)
                    offered = measure(ready[index], context, partial(prepare, index + 1))
                except EnvironmentProblem as error:
                    if index in ready:
                        ready.pop(index).load.stop()
                    fail(cell, error)
                else:
                    saver.put(cell, partial(save, offered, context))
                    del ready[index]
            take_saved()
        finally:
            for prepared in ready.values():
                prepared.load.stop()
    return failed, invalid, early


def _prepare(
    cell: Cell, matrix: Matrix, context: MeasurementContext, stack: SweepStack, index: int
) -> PreparedCell:
    folder = context.run.begin_cell(cell.id)
    drawn, plan = matrix.plan(cell), matrix.played(cell)
    stored = context.run.plans / f"{plan.hash[:12]}.json"
    if not stored.exists():
        plan.save(stored)
    drain_s = matrix.phases[cell.load].drain_s
    job = load.LoadJob(
        target=stack.gateway,
        model=stack.engine.model,
        plan_file=stored,
        run_dir=folder,
        log_path=folder / LOG_NAME,
        slo=str(context.slo),
        drain_s=drain_s,
        metrics_port=stack.load_ports[index % 2],
        metrics_host=stack.load_host,
        tokenizer=stack.engine.endpoint,
        prompt_cost_file=prompt_cost.of_run(context.run, stack.engine),
        cpus=stack.load_cpus,
        fields=stack.fields,
    )
    started, engine = load.start(job), stack.engine.endpoint
    return PreparedCell(cell, plan, folder, started, drain_s, engine, stack.watch, drawn.hash)
