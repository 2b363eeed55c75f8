"""From a cell's raw material to its summary.json: records, both sides' counts, series, verdict and doubts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.design.cells import Cell
from experiments.measure import gpu_doubts, scope_doubts, witnessing
from experiments.measure.cell_evidence import (
    SAMPLES,
    Occupancy,
    is_stationary,
    request_breakdown,
    steady,
    with_intervals,
)
from experiments.measure.scope_doubts import GatewayEdges
from experiments.measure.validity import OfferedRates, doubts, of_machine, of_steadiness
from experiments.observe.engine_growth import EngineGrowth
from experiments.observe.gateway_admin import GatewayGrowth
from experiments.observe.witness.seen import Witness
from experiments.run_folder.cell_summary import (
    Breakdown,
    BucketQuantiles,
    CellSummary,
    EngineLabel,
    MeasuredWindow,
    Workload,
)
from experiments.stats import agreement, ledger, littles_law, saturation
from experiments.stats.steady_state import SteadyState
from loadtests.outcome import Outcome
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.recording.load_run import LoadRun
from loadtests.recording.summary import summarise
from loadtests.slo import SLO

# A request that ended this close to a scrape may be on either side of it: the scrape itself takes a moment.
_EDGE_S = 0.05


@dataclass(frozen=True, slots=True)
class CellInputs:
    """What a finished load run and the servers around it left behind.

    `gateway` and `engine` are what their counters grew by over the cell (None: not scraped); `stolen_ratio`
    is the CPU time that the host gave to others, 0–1; `histograms` are the gateway's quantiles (name → p50,
    p95 → value and bucket); `scrape_times` in Unix seconds; `series` as in series.parquet, `expected` the
    names of those that have samples in every cell; `edges`: the gateway before and after (None: not known);
    `witness`: the machine in the measured window.
    """

    records: list[RequestRecord]
    load_run: LoadRun
    gateway: GatewayGrowth
    engine: EngineGrowth | None
    stolen_ratio: float | None
    series: pd.DataFrame
    histograms: Mapping[str, BucketQuantiles]
    scrape_times: Sequence[float]
    expected: Sequence[str] = ()
    edges: GatewayEdges | None = None
    witness: Witness | None = None


@dataclass(frozen=True, slots=True)
class KnownEngine:
    """What a summary says of the engine and is judged by: the label; its largest batch, and the rate that it
    served when it was probed, requests per second (None: not known)."""

    label: str
    max_running: int | None
    capacity_per_s: float | None


def summarise_cell(
    cell: Cell, plan: Plan, slo: SLO, material: CellInputs, engine: KnownEngine
) -> CellSummary:
    """What the cell showed."""
    start_s, end_s = plan.phase_s("measure")
    of_records = summarise(material.records, plan, slo, phase="measure")
    measured = [record for record in material.records if record.phase == "measure"]
    outcomes = Counter(record.outcome for record in material.records)
    checks = _ledger(plan, outcomes, material)
    agreements = _agreements(material)
    window = _window(cell, material, start_s, end_s, engine)
    steadiness = _steady_state(cell, measured, window, start_s)
    inside = _inside(material, start_s, end_s)
    return CellSummary(
        cell=cell.id,
        sentinel=cell.sentinel,
        setting=cell.setting,
        workload=_workload(cell, plan, material.load_run),
        window=MeasuredWindow(start_s, end_s, plan.header.warm_up_s, material.load_run.asked.started_unix_s),
        counts=of_records.counts,
        rates=of_records.rates,
        attainment=of_records.attainment,
        latency=with_intervals(of_records.latency, measured),
        outcomes_all_phases={str(outcome): count for outcome, count in outcomes.items()},
        prometheus=dict(material.histograms),
        agreement=tuple(agreements),
        ledger=checks,
        saturation=saturation.judge(window),
        steady_state=steadiness,
        breakdown=_breakdown(measured, material.engine),
        doubts=(
            *doubts(
                material.load_run.ended,
                OfferedRates(
                    of_records.counts.offered,
                    of_records.rates.offered_per_s or 0.0,
                    plan.offered("measure") / (end_s - start_s),
                ),
                checks,
                agreements,
                material.scrape_times,
            ),
            *of_machine(material.stolen_ratio, material.engine),
            *scope_doubts.of_cell(material.edges, cell.setting.limits, inside, material.expected),
            *gpu_doubts.of_cell(inside),
            *witnessing.doubts(material.witness),
            *of_steadiness(steadiness, changes_by_design=not is_stationary(cell.load.scenario)),
        ),
        engine=EngineLabel(engine.label),
        engine_growth=material.engine,
        classes=of_records.classes,
        fairness=of_records.fairness,
        lengths=material.load_run.ended.lengths,
        witness=material.witness,
        sessions=of_records.sessions,
    )


def _steady_state(
    cell: Cell, measured: Sequence[RequestRecord], window: saturation.Window, start_s: float
) -> SteadyState:
    aligned = window.active.size == window.queued.size
    backlog = window.active + window.queued if aligned else np.array([], dtype=float)
    bounded = window.shed > 0 or bool(np.any(window.queued >= window.queue_limit))
    return steady(measured, start_s, cell.load.scenario, backlog, bounded=bounded)


def _breakdown(measured: Sequence[RequestRecord], engine: EngineGrowth | None) -> Breakdown:
    """The p50 and p95 request taken apart, with the engine's mean times in queue and prefill where it has
    them."""
    if engine is None or engine.requests <= 0 or engine.restarted:
        return request_breakdown(measured, None, None)
    queue_s, prefill_s = engine.queue_s, engine.prefill_s
    if queue_s is None or prefill_s is None or queue_s + prefill_s <= 0:
        return request_breakdown(measured, None, None)
    return request_breakdown(measured, queue_s / engine.requests, prefill_s / engine.requests)


def _ledger(plan: Plan, outcomes: Counter[Outcome], material: CellInputs) -> tuple[ledger.Check, ...]:
    """Counts and request-seconds of client, gateway and engine, over every phase of the cell."""
    attempts = Counter(outcome for r in material.records for outcome in (r.tried or (r.outcome,)))
    checks = ledger.checks(len(plan), len(material.records), attempts, material.gateway.outcomes)
    arrived = [r for r in material.records if r.outcome.arrived]
    if any(r.finished_s is None or r.sent_s is None or r.tried for r in arrived):
        return checks  # a request without an end has no length to add up, nor has one of its attempts
    client_s = sum((r.finished_s or 0.0) - (r.sent_s or 0.0) for r in arrived)
    gateway = material.gateway
    checks += (littles_law.in_system(client_s, gateway.active_s + gateway.queued_s, len(arrived)),)
    served = outcomes.get(Outcome.OK, 0)
    if material.engine is not None and material.engine.requests == served:
        checks += (littles_law.in_engine(gateway.active_s, material.engine.request_s, served),)
    return checks


def _workload(cell: Cell, plan: Plan, load_run: LoadRun) -> Workload:
    header = plan.header
    return replace(
        Workload.planned(cell.load, cell.block, header.seed, purpose=cell.purpose),
        rate_per_s=header.rate_per_s,
        plan_hash=plan.hash,
        prompt_tokens=header.tokens("prompt_tokens"),
        output_tokens=header.tokens("output_tokens"),
        mix=header.workload if header.classes else None,
        answer_lengths=load_run.asked.answer_lengths,
    )


def _agreements(material: CellInputs) -> list[agreement.Agreement]:
    """Of the requests that ended between the first and the last scrape of the cell, in every phase: the
    gateway observes a request when it ends, and a histogram cannot tell a warm-up request from a measured
    one.
    """
    inside, doubtful = _between_scrapes(material)
    values = {
        "ttft_from_send_s": _finite(r.ttft_from_send_s for r in inside),
        "e2e_from_send_s": _finite(
            r.finished_s - r.sent_s
            for r in inside
            if r.outcome == "ok" and r.finished_s is not None and r.sent_s is not None
        ),
        "queue_s": _finite(r.queue_s for r in inside if r.outcome == "ok"),
    }
    return [
        agreement.compare(name, q, values[name], histogram, doubtful)
        for name in values
        for q, histogram in (
            (0.5, material.histograms[name].p50),
            (0.95, material.histograms[name].p95),
        )
    ]


def _between_scrapes(material: CellInputs) -> tuple[list[RequestRecord], int]:
    """The requests that ended between first and last scrape, and how many ended too close to one to tell."""
    if not material.scrape_times:
        return [], 0
    began_s = material.load_run.asked.started_unix_s
    first_s, last_s = material.scrape_times[0] - began_s, material.scrape_times[-1] - began_s
    ends_s = [(r, r.finished_s) for r in material.records if r.finished_s is not None]
    near = sum(min(abs(end_s - first_s), abs(end_s - last_s)) < _EDGE_S for _, end_s in ends_s)
    return [r for r, end_s in ends_s if first_s < end_s <= last_s], near


def _finite(values: Iterable[float | None]) -> npt.NDArray[np.float64]:
    found = np.array([value for value in values if value is not None], dtype=float)
    finite: npt.NDArray[np.float64] = found[np.isfinite(found)]
    return finite


def _window(
    cell: Cell,
    material: CellInputs,
    start_s: float,
    end_s: float,
    engine: KnownEngine,
) -> saturation.Window:
    by_metric = _inside(material, start_s, end_s)
    measured = [record for record in material.records if record.phase == "measure"]
    nothing = np.array([], dtype=float)
    slots = cell.setting.limits.max_active
    seen = Occupancy(material.records, slots, start_s, end_s) if Occupancy.known(material.records) else None
    return saturation.Window(
        offered=len(measured),
        shed=sum(record.outcome.shed for record in measured),
        active=seen.active if seen else by_metric.get("gateway_active", nothing),
        limit=np.full(SAMPLES, float(slots)) if seen else by_metric.get("gateway_active_limit", nothing),
        queued=seen.queued if seen else by_metric.get("gateway_queue_depth", nothing),
        queue_limit=cell.setting.limits.room,
        engine_running=by_metric.get("engine_running", nothing),
        engine_waiting=by_metric.get("engine_waiting", nothing),
        kv_use=by_metric.get("engine_kv_use_ratio", nothing),
        engine_max_running=engine.max_running,
        client_saturated=material.load_run.ended.client_saturated,
        all_slots_busy=seen.house if seen else None,
        curve=seen.curve if seen else None,
        window_s=end_s - start_s,
        served_per_s=_served_per_s(material.records, start_s, end_s),
        capacity_per_s=engine.capacity_per_s,
    )


def _inside(material: CellInputs, start_s: float, end_s: float) -> dict[str, npt.NDArray[np.float64]]:
    """The samples of the measured window by the name of their series."""
    inside = material.series[(material.series["t_s"] >= start_s) & (material.series["t_s"] < end_s)]
    return {str(name): group["value"].to_numpy(dtype=float) for name, group in inside.groupby("metric")}


def _served_per_s(records: Sequence[RequestRecord], start_s: float, end_s: float) -> float:
    """Requests that the engine finished in the window, whenever they arrived, per second."""
    ended = sum(r.outcome == "ok" and start_s <= (r.finished_s or -1.0) < end_s for r in records)
    return ended / (end_s - start_s)
