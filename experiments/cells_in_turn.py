"""Cells one after another, with nothing but the switch of the limits between them."""

import time
from collections.abc import Sequence
from functools import partial

from experiments.errors import EnvironmentProblem
from experiments.matrix import Matrix
from experiments.measure import LOG_NAME, Bench, Prepared, measure
from experiments.points import Cell
from experiments.progress import SweepProgress
from experiments.stack import load
from experiments.sweep_stack import SweepStack


def in_turn(
    cells: Sequence[Cell], matrix: Matrix, bench: Bench, stack: SweepStack, progress: SweepProgress
) -> tuple[list[Cell], list[Cell]]:
    """Measure `cells` in order; which of them failed, and which were measured but came out invalid.

    The next cell's generator is started while the last requests of a cell drain: its second of start-up falls
    into time that is not measured.
    """
    failed: list[Cell] = []
    invalid: list[Cell] = []
    ready: dict[int, Prepared] = {}

    def prepare(index: int) -> None:
        if index < len(cells):
            ready[index] = _prepare(cells[index], matrix, bench, stack, index)

    try:
        _settle(bench)
        for index, cell in enumerate(cells):
            progress.cell_begins(cell.id)
            try:
                if index not in ready:
                    prepare(index)
                summary = measure(ready[index], bench, partial(prepare, index + 1))
            except EnvironmentProblem as error:
                bench.run.fail_cell(cell.id, str(error))
                progress.say(f"{cell.id} failed: {error}")
                failed.append(cell)
                _settle(bench)
            else:
                progress.cell_ends(cell.id, summary)
                if any(doubt["severity"] == "invalid" for doubt in summary["doubts"]):
                    invalid.append(cell)
            finally:
                if index in ready:
                    ready.pop(index).load.stop()
    finally:
        for prepared in ready.values():
            prepared.load.stop()
    return failed, invalid


def _settle(bench: Bench) -> None:
    """Let Prometheus see what came before (the probe, a failed cell), so that no cell's window begins
    inside it.
    """
    bench.metrics.wait_for_scrape(time.time())


def _prepare(cell: Cell, matrix: Matrix, bench: Bench, stack: SweepStack, index: int) -> Prepared:
    folder = bench.run.begin_cell(cell.id)
    plan = matrix.plan(cell)
    stored = bench.run.plans / f"{plan.hash[:12]}.json"
    if not stored.exists():
        plan.save(stored)
    drain_s = matrix.phases[cell.load].drain_s
    generator = load.start(
        host=stack.gateway_url,
        model=stack.engine.model,
        plan_file=stored,
        run_dir=folder,
        log_path=folder / LOG_NAME,
        slo=str(bench.slo),
        drain_s=drain_s,
        metrics_port=stack.load_ports[index % 2],
        tokenize_url=stack.engine.url or None,
        cpus=stack.load_cpus,
    )
    return Prepared(cell, plan, folder, generator, drain_s)
