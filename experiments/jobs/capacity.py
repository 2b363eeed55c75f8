"""Searching the largest rate that one setting sustains."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Sequence
from dataclasses import replace

from experiments.cli.progress import SweepProgress
from experiments.cli.sweep_args import SweepOptions
from experiments.design import matrix
from experiments.errors import EnvironmentProblem
from experiments.measure import engine_setup, preflight, sweep_stack
from experiments.measure.cell import MeasurementContext
from experiments.racing.live_search import measure_rate, search, start_of
from experiments.racing.steady_stretches import stretches_of
from experiments.run_folder.folder import RunDir, open_or_create
from experiments.run_folder.measured_cell import finished_cells
from experiments.run_folder.relative_speed import usual_speed
from experiments.run_folder.run_state import RunStatus
from experiments.stats.class_capacity import capacity_under
from experiments.stats.knee import Capacity
from experiments.stats.overload import SURELY_ABOVE, Overload, overload
from experiments.stats.stretch import Stretch, attainment_of, by_rate
from loadtests.slo import SLO

# Times the capacity: where what happens above it is looked at.
_OVERLOAD = 1.3


def run(options: SweepOptions, precision: float, command: Sequence[str]) -> int:
    """Search, print the result, keep the run, whose command line is `command`; exit code 0. `precision`: half
    of the 95 % interval's width, part of the answer, 0-1, at which the search ends.

    Raises:
        UserError, EnvironmentProblem, ObjectiveOutOfReach: there is no answer.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress = SweepProgress(options.quiet)
    options = preflight.sharing_as_the_gateway(options)
    options = preflight.check(options, progress.say)
    folder, _ = open_or_create(options.runs, options.out, options.spec, command, fresh=options.fresh)
    try:
        with progress:
            progress.say(f"run {folder.path}")
            found, slo = _search(options, folder, progress, precision)
        folder.save(replace(folder.state, status=RunStatus.COMPLETE, capacity=found))
        print(show(found, slo, folder))
        return 0
    finally:
        folder.close()


def show(found: Capacity, slo: SLO, run: RunDir) -> str:
    """The answer for a terminal."""
    assert run.state.engine is not None, "the search has probed it"
    rows = [f"capacity under {slo} on {run.state.engine.label}:"]
    value = f"about {found.value_per_s:.3g} requests/s, {found.why}" if found.value_per_s else found.why
    rows.append(f"  {value}")
    for rate, of_rate in by_rate(_known(run, slo)).items():
        share, low, high = attainment_of(of_rate)
        rows.append(
            f"  at {rate:g}/s: {share:.1%} of {sum(s.offered for s in of_rate)} met it "
            f"(95 %: {low:.1%} to {high:.1%}, {len(of_rate)} {'trace' if len(of_rate) == 1 else 'traces'})"
            f"{_by_class(of_rate)}"
        )
    above = _above(found, slo, run)
    rows += [f"  {above}"] if above is not None else []
    return "\n".join([*rows, f"  run: {run.path}"])


def _by_class(of_rate: Sequence[Stretch]) -> str:
    """`: chat 99.0%, agent-long 80.0%`, each of its own requests by its own objective."""
    own: dict[str, list[Stretch]] = {}
    for name, stretch in (pair for one in of_rate for pair in one.classes):
        own.setdefault(name, []).append(stretch)
    shares = (f"{name} {attainment_of(stretches)[0]:.1%}" for name, stretches in own.items())
    return f": {', '.join(shares)}" if own else ""


def _above(found: Capacity, slo: SLO, run: RunDir) -> Overload | None:
    """What happened in the cell nearest to `_OVERLOAD` times the capacity; None where none was above it."""
    if found.value_per_s is None:
        return None
    wanted_per_s = _OVERLOAD * found.value_per_s
    cells = [cell for cell in finished_cells(run.path) if not cell.invalid_codes]
    nearest = min(cells, key=lambda cell: abs(cell.rate_per_s - wanted_per_s))
    records = [record for record in nearest.records() if record.phase == "measure"]
    above = overload(records, slo, nearest.summary.window.length_s, found.value_per_s)
    return above if above is not None and above.load_ratio >= SURELY_ABOVE else None


def _search(
    options: SweepOptions, run: RunDir, progress: SweepProgress, precision: float
) -> tuple[Capacity, SLO]:
    with sweep_stack.running(options, run.logs, run.prometheus_data, progress.say) as stack:
        seen = engine_setup.probe_engine(options, run, stack, progress)
        slo = engine_setup.settle_objective(options, run, stack, seen)
        context = MeasurementContext(
            run, stack.admin, stack.metrics, slo, stack.engine.label, engine_setup.max_running(stack)
        )
        setting = matrix.build(options.spec, seen, slo).cells[0].setting.on(stack.knobs)
        engine_setup.record_start(run, stack)
        until_s = time.monotonic() + (options.spec.design.budget_s or 240.0)

        def known() -> Sequence[Stretch]:
            return _known(run, slo)

        def measure(rate_per_s: float) -> bool:
            # One cell at least, however short the budget.
            left_s = until_s - time.monotonic() if known() else math.inf
            return measure_rate(rate_per_s, setting, options.spec, context, stack, progress, left_s)

        search(known, measure, slo, start_of(seen, setting), precision)
    found = _known(run, slo)
    if not found:
        raise EnvironmentProblem(f"{run.path}: no cell came out valid ({_why_not(run)})")
    return capacity_under(found, slo), slo


def _known(run: RunDir, slo: SLO) -> list[Stretch]:
    cells = finished_cells(run.path)
    return stretches_of(cells, slo, usual_speed(cells))


def _why_not(run: RunDir) -> str:
    """What made the measured cells invalid."""
    codes = {code for cell in finished_cells(run.path) for code in cell.invalid_codes}
    return ", ".join(sorted(codes)) or "none could be measured: see the journal"
