"""`python -m experiments.capacity --slo …`: the largest rate that one setting sustains."""

import argparse
import math
import signal
import time
from collections.abc import Sequence
from dataclasses import replace

from experiments.cli import secrets, sweep_args
from experiments.cli.progress import SweepProgress
from experiments.cli.sweep_args import SweepOptions
from experiments.design import matrix
from experiments.errors import EnvironmentProblem, UserError, run_command
from experiments.measure import engine_setup, preflight, sweep_stack
from experiments.measure.cell import MeasurementContext
from experiments.racing.live_search import measure_rate, search, start_of, stretches_of
from experiments.run_folder.folder import RunDir, open_or_create
from experiments.run_folder.measured_cell import finished_cells
from experiments.run_folder.relative_speed import usual_speed
from experiments.run_folder.run_state import RunStatus
from experiments.stats.knee import Capacity, capacity
from experiments.stats.overload import SURELY_ABOVE, Overload, overload
from experiments.stats.stretch import Stretch, attainment_of, by_rate
from loadtests.slo import SLO

_DEFAULTS = (
    *("--max-active", "16", "--queue-mode", "queue", "--load", "sustained@0.7x"),
    *("--budget", "4m", "--design", "race"),  # a budget is refused beside a grid, which a spec may ask for
)
# Times the capacity: where what happens above it is looked at.
_OVERLOAD = 1.3
_EXAMPLES = """examples:
  %(prog)s --slo 'ttft<=1s,tpot<=60ms,attainment>=0.95'
  %(prog)s --max-active 8 --queue-max 32 --budget 10m --precision 5

All flags of python -m experiments.sweep may be given (one value an axis); --budget bounds the search (4m).
"""


def main(argv: Sequence[str], prog: str = "python -m experiments.capacity") -> int:
    """Search, print the result, keep the run; exit code 0, 2 for a user's mistake, 22 for an objective that
    even the idle engine misses."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="The largest sustainable rate of one gateway setting under an SLO.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--precision",
        type=float,
        default=7.0,
        metavar="PERCENT",
        help="half of the 95 %% interval's width, part of the answer, at which the search ends (7)",
    )
    own, rest = parser.parse_known_args(argv)
    if not 0 < own.precision < 100:
        raise UserError(f"--precision {own.precision:g}: give a percentage above 0 and below 100")
    options = _one_setting(sweep_args.parse([*_DEFAULTS, *rest]))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress = SweepProgress(options.quiet)
    options = preflight.check(options, progress.say)
    command = ("python", "-m", "experiments.capacity", *secrets.without_secrets(argv))
    run, _ = open_or_create(options.runs, options.out, options.spec, command, fresh=options.fresh)
    try:
        with progress:
            progress.say(f"run {run.path}")
            found, slo = _search(options, run, progress, own.precision / 100)
        run.save(replace(run.state, status=RunStatus.COMPLETE, capacity=found))
        print(show(found, slo, run))
        return 0
    finally:
        run.close()


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
        )
    above = _above(found, slo, run)
    rows += [f"  {above}"] if above is not None else []
    return "\n".join([*rows, f"  run: {run.path}"])


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


def _one_setting(options: SweepOptions) -> SweepOptions:
    """The options with the load left to the search.

    Raises:
        UserError: the axes hold more than one setting.
    """
    axes = options.spec.gateway
    for name in ("max_active", "queue_mode", "queue_max", "queue_timeout_s", "queue_order"):
        values = getattr(axes, name)
        if len(values) != 1:
            raise UserError(f"{name} = {values}: the search takes one setting, so give one value")
    if len(options.spec.engine.values()) > 1 or len(options.spec.load.workloads) > 1:
        raise UserError("the search takes one engine and one workload, so give one value of each axis")
    return options


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

        search(known, measure, slo.attainment, start_of(seen, setting), precision)
    found = _known(run, slo)
    if not found:
        raise EnvironmentProblem(f"{run.path}: no cell came out valid ({_why_not(run)})")
    return capacity(found, slo.attainment), slo


def _known(run: RunDir, slo: SLO) -> list[Stretch]:
    cells = finished_cells(run.path)
    return stretches_of(cells, slo, usual_speed(cells))


def _why_not(run: RunDir) -> str:
    """What made the measured cells invalid."""
    codes = {code for cell in finished_cells(run.path) for code in cell.invalid_codes}
    return ", ".join(sorted(codes)) or "none could be measured: see the journal"


if __name__ == "__main__":
    run_command(main)
