"""Measuring one cell: set the limits, offer the plan, read both sides; then, apart from that, write its
folder.

`measure` is all that has to happen while the gateway belongs to the cell. `save` needs only what was read,
and files and queries: a sweep does it while the next cell warms up.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.design.cells import Cell
from experiments.errors import EnvironmentProblem
from experiments.measure import cell_steps, witnessing
from experiments.measure.scope_doubts import GatewayEdges
from experiments.measure.summary import CellInputs, KnownEngine, summarise_cell
from experiments.observe import engine_counters, machine
from experiments.observe.engine_growth import EngineGrowth
from experiments.observe.gateway_admin import Counters, GatewayAdmin, GatewayMoment, gateway_growth
from experiments.observe.gateway_lanes import GatewayLanes
from experiments.observe.machine import CpuTimes
from experiments.observe.prometheus import HISTOGRAMS, ServerMetrics
from experiments.observe.witness.account import Watched
from experiments.observe.witness.watch import Watch, Watching
from experiments.run_folder import codec, load_run, record_table, series_table
from experiments.run_folder.applied_setting import AppliedSetting
from experiments.run_folder.cell_summary import BucketQuantiles, CellSummary
from experiments.run_folder.folder import RunDir
from experiments.run_folder.timeline import Timeline
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.load import LoadProcess
from experiments.stack.process import last_lines
from gateway.limits import Limits
from loadtests.planning.plan import Plan
from loadtests.reach.endpoint import Endpoint
from loadtests.record import RequestRecord
from loadtests.recording.load_run import LoadRun
from loadtests.slo import SLO

LOG_NAME = "locust.log"
# The generator's own time to write its result and end, after the drain.
_GRACE_S = 30.0


@dataclass(frozen=True, slots=True)
class MeasurementContext:
    """The running stack as a measurement sees it, and the run it belongs to."""

    run: RunDir
    admin: GatewayAdmin
    metrics: ServerMetrics
    slo: SLO
    engine_label: str
    engine_max_running: int | None

    def engine(self, cell: Cell) -> KnownEngine:
        """What is known of the engine in this cell. Its capacity is not, without a probe, or where the engine
        was started with other limits since."""
        state = self.run.state
        probe = (state.probes or {}).get(cell.load.workload or "", state.probe)
        facts = state.engine.facts if state.engine is not None else EngineFacts()
        same = cell.setting.engine.given() == (facts.knobs or {})
        capacity_per_s = probe.capacity_per_s if probe is not None and same else None
        return KnownEngine(self.engine_label, self.engine_max_running, capacity_per_s)


@dataclass(frozen=True, slots=True)
class PreparedCell:
    """A cell whose load generator stands ready, so that the next cell starts as soon as this one is over.
    `plan`: as it is played, and `arrivals` the hash of the one that it is a part of, which the cells of a
    block have in common; `engine`: None where it is not known; `watch`: None where nothing watches the
    machine."""

    cell: Cell
    plan: Plan
    folder: Path
    load: LoadProcess
    drain_s: float
    engine: Endpoint | None
    watch: Watch | None = None
    arrivals: str | None = None


@dataclass(frozen=True, slots=True)
class _Reading:
    """What gateway, engine and machine had counted at one edge of a cell, while nothing was in flight."""

    gateway: str
    engine: str | None
    cpu: CpuTimes | None
    unix_s: float


@dataclass(frozen=True, slots=True)
class FinishedLoad:
    """A cell whose load is over, and all that had to be read in that moment."""

    prepared: PreparedCell
    in_force: Limits
    before: _Reading
    after: _Reading
    watched: Watched | None = None
    lanes_version: int | None = None


def measure(
    prepared: PreparedCell, context: MeasurementContext, when_draining: Callable[[], None]
) -> FinishedLoad:
    """Run one cell to its end; `save` makes its folder of what this returns.

    `when_draining` is called once the last request of the plan was due: nothing it does can disturb a
    measured arrival.

    Raises:
        EnvironmentProblem: the gateway or the generator failed; the cell's files so far are kept.
    """
    load = prepared.load
    load.wait_ready()
    _wait_idle(context.admin)
    lanes = prepared.cell.setting.lanes
    lanes_version = None if lanes is None else GatewayLanes(context.admin).apply_for_a_load(lanes.lanes)
    in_force = context.admin.apply(prepared.cell.setting.limits)
    before = _read(prepared, context)
    with _watching(prepared) as watching:
        load.go()
        if load.wait(prepared.plan.last_due_s) is None:
            when_draining()
        if not load.wait_result(prepared.drain_s + _GRACE_S):
            raise EnvironmentProblem(f"the load generator did not end; see {prepared.folder / LOG_NAME}")
    _wait_idle(context.admin)
    watched = watching.watched() if watching is not None else None
    return FinishedLoad(prepared, in_force, before, _read(prepared, context), watched, lanes_version)


def _watching(prepared: PreparedCell) -> AbstractContextManager[Watching | None]:
    """The machine is watched while the block runs, at the ends of the measured window besides."""
    if prepared.watch is None:
        return nullcontext()
    return prepared.watch.over(prepared.plan.phase_s("measure"))


def save(offered: FinishedLoad, context: MeasurementContext) -> CellSummary:
    """Write the cell's folder; returns its summary.

    Raises:
        EnvironmentProblem: Prometheus failed, or the generator left no result; what there is stays.
    """
    prepared = offered.prepared
    cell, folder = prepared.cell, prepared.folder
    prepared.load.wait(_GRACE_S)
    prepared.load.stop()
    material = _material(offered, context)
    series_table.save(material.series, folder)
    summary = summarise_cell(cell, prepared.plan, context.slo, material, context.engine(cell))
    # What the cells of a block have in common is the plan that each may have begun late.
    offered_here = replace(summary.workload, plan_hash=prepared.arrivals or prepared.plan.hash)
    summary = replace(summary, workload=offered_here)
    cell_steps.save(summary, material.records, folder)
    applied = AppliedSetting(cell.id, cell.setting, offered.in_force, offered.lanes_version)
    codec.write(folder / "cell.json", applied)
    codec.write(folder / "summary.json", summary)
    prepared.load.forget_start()
    goodput_per_s = summary.rates.goodput_per_s if summary.rates is not None else None
    facts = {"plan": summary.workload.plan_hash, "goodput_per_s": goodput_per_s}
    context.run.finish_cell(cell.id, {**facts, **_timeline(prepared.plan, material).to_json()})
    return summary


def _read(prepared: PreparedCell, context: MeasurementContext) -> _Reading:
    """Read everybody's counters now; parsing them can wait."""
    text = engine_counters.read(prepared.engine) if prepared.engine is not None else None
    return _Reading(context.admin.metrics_text(), text, machine.cpu_times(), time.time())


def _wait_idle(admin: GatewayAdmin, deadline_s: float = 10.0) -> None:
    """Requests that a generator cut are ended by the gateway a moment later; its counters are whole only
    then."""
    give_up = time.monotonic() + deadline_s
    while True:
        state = admin.state()
        if state["active"] == 0 and state["queued"] == 0:
            return
        if time.monotonic() > give_up:
            raise EnvironmentProblem(
                f"the gateway still has {state['active']} active and {state['queued']} queued requests "
                "while no load is on; "
                "is somebody else using it?"
            )
        time.sleep(0.02)


def _load_run(prepared: PreparedCell) -> LoadRun:
    path = prepared.folder / "load.json"
    if not path.exists():
        log = last_lines(prepared.folder / LOG_NAME)
        code = prepared.load.child.exit_code()
        raise EnvironmentProblem(
            f"the load generator ended ({code}) without a result; its last lines:\n{log}"
        )
    try:
        return load_run.read(path)
    except codec.NotReadableError as error:
        raise EnvironmentProblem(str(error)) from None


def _material(offered: FinishedLoad, context: MeasurementContext) -> CellInputs:
    ran = _load_run(offered.prepared)
    began_s, ended_s = ran.asked.started_unix_s, offered.after.unix_s
    before, after = offered.before, offered.after
    context.metrics.wait_for_scrape(ended_s)
    scrapes = context.metrics.scrape_times(began_s, ended_s)
    edges = (scrapes[0], scrapes[-1]) if len(scrapes) > 1 else (ended_s, ended_s)
    counted = Counters.parse(before.gateway), Counters.parse(after.gateway)
    series, witness = witnessing.together(
        context.metrics.series(began_s, ended_s), offered.watched, began_s, offered.prepared.plan
    )
    return CellInputs(
        records=record_table.convert(offered.prepared.folder),
        load_run=ran,
        gateway=gateway_growth(*counted),
        engine=_engine_growth(offered, context, edges),
        stolen_ratio=before.cpu.stolen_ratio_until(after.cpu) if before.cpu and after.cpu else None,
        series=series,
        histograms={name: BucketQuantiles(*context.metrics.quantiles(name, *edges)) for name in HISTOGRAMS},
        scrape_times=scrapes,
        expected=context.metrics.expected,
        edges=GatewayEdges(
            offered.in_force,
            GatewayMoment.of(counted[0]),
            GatewayMoment.of(counted[1]),
            offered.lanes_version,
        ),
        witness=witness,
    )


def _engine_growth(
    offered: FinishedLoad, context: MeasurementContext, edges: tuple[float, float]
) -> EngineGrowth | None:
    """From the engine itself; where its address is not known, from Prometheus between two scrapes."""
    before, after = offered.before.engine, offered.after.engine
    if before is not None and after is not None:
        return engine_counters.growth(before, after, context.metrics.engine)
    return context.metrics.engine_growth(*edges)


def _timeline(plan: Plan, material: CellInputs) -> Timeline:
    began_s = material.load_run.asked.started_unix_s
    start_s, end_s = plan.phase_s("measure")
    return Timeline(
        began_s, began_s + start_s, began_s + end_s, began_s + _last_end_s(material.records, end_s)
    )


def _last_end_s(records: list[RequestRecord], at_least_s: float) -> float:
    return max([at_least_s, *(r.finished_s for r in records if r.finished_s is not None)])
