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
from experiments.errors import EnvironmentProblem, UserError
from experiments.measure import engine_setup, preflight, sweep_stack
from experiments.measure.cell import MeasurementContext
from experiments.racing.live_search import measure_rate, search, start_of
from experiments.racing.steady_stretches import session_stretches_of, stretches_of
from experiments.run_folder.folder import RunDir, open_or_create
from experiments.run_folder.measured_cell import finished_cells
from experiments.run_folder.relative_speed import usual_speed
from experiments.run_folder.run_state import RunStatus
from experiments.spec.load_section import LoadSection
from experiments.spec.sweep_spec import SweepSpec
from experiments.stats.class_capacity import capacity_under
from experiments.stats.knee import Capacity, CapacityUnit
from experiments.stats.overload import SURELY_ABOVE, Overload, overload
from experiments.stats.stretch import Stretch, attainment_of, by_rate
from loadtests.slo import SLO

# Times the capacity: where what happens above it is looked at.
_OVERLOAD = 1.3


def run(options: SweepOptions, precision: float, command: Sequence[str], unit: str = "requests") -> int:
    """Search, print the result, keep the run, whose command line is `command`; exit code 0. `precision`: half
    of the 95 % interval's width, part of the answer, 0-1, at which the search ends. `unit`: a `CapacityUnit`.

    Raises:
        UserError, EnvironmentProblem, ObjectiveOutOfReach: there is no answer.
    """
    counted = CapacityUnit(unit)
    if counted is CapacityUnit.SESSIONS and not _has_sessions(options.spec.load):
        raise UserError(
            "--unit sessions: the load has no sessions; give --workload agent, or --turns and --tool-calls"
        )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress = SweepProgress(options.quiet)
    options = preflight.sharing_as_the_gateway(options)
    options = preflight.check(options, progress.say)
    folder, _ = open_or_create(options.runs, options.out, options.spec, command, fresh=options.fresh)
    try:
        with progress:
            progress.say(f"run {folder.path}")
            found, slo, stretches = _search(options, folder, progress, precision, counted)
        folder.save(replace(folder.state, status=RunStatus.COMPLETE, capacity=found))
        print(show(found, slo, folder, stretches))
        return 0
    finally:
        folder.close()


def _has_sessions(load: LoadSection) -> bool:
    mix = load.requests(None if not load.workloads else load.workloads[0], None)
    parts = [mix.of(one) for one in mix.classes] or [mix]
    return any(part.session_shape() is not None for part in parts)


def show(found: Capacity, slo: SLO, run: RunDir, stretches: Sequence[Stretch]) -> str:
    """The answer for a terminal; `stretches`: what it is from."""
    assert run.state.engine is not None, "the search has probed it"
    rows = [f"capacity under {slo} on {run.state.engine.label}:"]
    value = f"about {found.value_per_s:.3g} {found.unit}/s, {found.why}" if found.value_per_s else found.why
    rows.append(f"  {value}")
    met = "were good" if found.unit is CapacityUnit.SESSIONS else "met it"
    for rate, of_rate in by_rate(stretches).items():
        share, low, high = attainment_of(of_rate)
        rows.append(
            f"  at {rate:g}/s: {share:.1%} of {sum(s.offered for s in of_rate)} {met} "
            f"(95 %: {low:.1%} to {high:.1%}, {len(of_rate)} {'trace' if len(of_rate) == 1 else 'traces'})"
            f"{_by_class(of_rate)}"
        )
    above = _above(found, slo, run) if found.unit is CapacityUnit.REQUESTS else None
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
    options: SweepOptions, run: RunDir, progress: SweepProgress, precision: float, unit: CapacityUnit
) -> tuple[Capacity, SLO, list[Stretch]]:
    with sweep_stack.running(options, run.logs, run.prometheus_data, progress.say) as stack:
        seen = engine_setup.probe_engine(options, run, stack, progress)
        slo = engine_setup.settle_objective(options, run, stack, seen)
        context = MeasurementContext(
            run, stack.admin, stack.metrics, slo, stack.engine.label, engine_setup.max_running(stack)
        )
        context_tokens = stack.engine.facts.max_model_len
        planned = matrix.build(options.spec, seen, slo, context_tokens=context_tokens)
        setting = planned.cells[0].setting.on(stack.knobs)
        spec, size = options.spec, 1.0
        if unit is CapacityUnit.SESSIONS:
            size = planned.plan(planned.cells[0]).header.requests_per_session or 1.0
            spec = _with_more_requests(spec, size)
        engine_setup.record_start(run, stack)
        until_s = time.monotonic() + (options.spec.design.budget_s or 240.0)

        def known() -> list[Stretch]:
            return _known(run, slo, size if unit is CapacityUnit.SESSIONS else None)

        def measure(rate_per_s: float) -> bool:
            # One cell at least, however short the budget.
            left_s = until_s - time.monotonic() if known() else math.inf
            return measure_rate(rate_per_s * size, setting, spec, context, stack, progress, left_s)

        search(known, measure, slo, float(f"{start_of(seen, setting) / size:.3g}"), precision)
    found = known()
    if not found:
        raise EnvironmentProblem(f"{run.path}: no cell came out valid ({_why_not(run)})")
    return replace(capacity_under(found, slo), unit=unit), slo, found


def _with_more_requests(spec: SweepSpec, requests_per_session: float) -> SweepSpec:
    """So that as many sessions are measured as requests were to be."""
    fewest = math.ceil(spec.window.min_requests * requests_per_session)
    return spec.model_copy(update={"window": spec.window.model_copy(update={"min_requests": fewest})})


def _known(run: RunDir, slo: SLO, requests_per_session: float | None) -> list[Stretch]:
    """Of requests, or where it is said how many a session has, of sessions."""
    cells = finished_cells(run.path)
    if requests_per_session is None:
        return stretches_of(cells, slo, usual_speed(cells))
    return session_stretches_of(cells, slo, usual_speed(cells), requests_per_session)


def _why_not(run: RunDir) -> str:
    """What made the measured cells invalid."""
    codes = {code for cell in finished_cells(run.path) for code in cell.invalid_codes}
    return ", ".join(sorted(codes)) or "none could be measured: see the journal"
