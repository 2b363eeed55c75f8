"""Cells one after another, with nothing but the switch of the limits between them."""

from collections.abc import Sequence
from functools import partial

from experiments.cli.progress import SweepProgress
from experiments.design.cells import Cell
from experiments.design.matrix import Matrix
from experiments.errors import EnvironmentProblem
from experiments.measure import prompt_cost
from experiments.measure.annotation import annotate
from experiments.measure.cell import LOG_NAME, MeasurementContext, PreparedCell, measure, save
from experiments.measure.saving import BackgroundSaver
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

    The next cell's generator is started while the last requests of a cell drain, and a cell is saved while
    the next one warms up: both fall into time that is not measured.
    """
    failed: list[Cell] = []
    invalid: list[Cell] = []
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
    return failed, invalid


def _prepare(
    cell: Cell, matrix: Matrix, context: MeasurementContext, stack: SweepStack, index: int
) -> PreparedCell:
    folder = context.run.begin_cell(cell.id)
    plan = matrix.plan(cell)
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
    return PreparedCell(cell, plan, folder, load.start(job), drain_s, stack.engine.endpoint, stack.watch)
