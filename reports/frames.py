"""Cell summaries → tidy frames: one row per cell, quantile, outcome, comparison or doubt (`reports.rows`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pandas as pd

from experiments.observe.engine_growth import EngineGrowth
from experiments.run_folder.cell_summary import CellSummary, SeenLimits, Workload
from experiments.run_folder.doubt import worst
from experiments.run_folder.prediction import PredictedMetric, Prediction
from experiments.spec.setting import Setting
from experiments.stats.breakdown import Parts
from experiments.stats.saturation import Saturation
from gateway.limits import LIMIT_NAMES, Limits
from loadtests.outcome import Outcome
from loadtests.recording.latency_summary import Latency
from loadtests.recording.share import wilson
from loadtests.recording.summary import LATENCIES, Counts
from reports import columns, labels
from reports.known_cell import KnownCell
from reports.rows import (
    AgreementRow,
    BreakdownRow,
    CellRow,
    DoubtRow,
    LatencyRow,
    LedgerRow,
    OutcomeRow,
    PredictedRow,
    frame_of,
)

ORDER = ["workload", "rate_per_s", "scenario", *LIMIT_NAMES, "block"]


def number(value: float | None) -> float:
    """`value` as a float; nan for none."""
    return math.nan if value is None else float(value)


def cells(known: Iterable[KnownCell]) -> pd.DataFrame:
    """One row per cell: setting, load, counts, rates, saturation; ordered by load, setting, block."""
    every = list(known)
    limits = pd.DataFrame([limit_columns(cell.setting) for cell in every], columns=list(LIMIT_NAMES))
    rows = frame_of(CellRow, (_cell(cell) for cell in every))
    frame = pd.concat([rows, limits], axis=1)[list(columns.CELLS)]
    return frame.sort_values(ORDER, kind="stable", ignore_index=True)


def limit_columns(setting: Setting | SeenLimits | None) -> dict[str, float | str]:
    """The gateway's limits by name; nan or "" where one is not known."""
    limits = setting.limits if isinstance(setting, Setting) else setting
    return {name: _column(getattr(limits, name, None), like) for name, like in Limits().values().items()}


def _column(value: float | str | None, like: float | str) -> float | str:
    """One limit, known or not, as its column holds it: of the kind that `like` is."""
    if isinstance(like, str):
        return "" if value is None else str(value)
    return math.nan if value is None else float(value)


def _cell(cell: KnownCell) -> CellRow:
    row = CellRow(
        cell=cell.id,
        knobs=labels.engine_limits(cell.setting),
        sentinel=cell.sentinel,
        purpose=str(cell.purpose),
        setting=cell.words,
        queue=labels.queue(cell.setting) if cell.words else "",
        engine=cell.engine,
    )
    if cell.workload is not None:
        row = _offered(row, cell.workload)
    if cell.summary is None:
        return row
    row = replace(_rates(_counts(row, cell.summary.counts), cell.summary), validity=validity(cell.summary))
    if cell.summary.saturation is not None:
        row = _judged(row, cell.summary.saturation)
    return row if cell.summary.engine_growth is None else _grown(row, cell.summary.engine_growth)


def _offered(row: CellRow, workload: Workload) -> CellRow:
    return replace(
        row,
        workload=workload.workload or "",
        scenario=workload.scenario,
        rate_per_s=number(workload.rate_per_s),
        relative_load=number(workload.relative_load),
        block=number(workload.block),
        plan_hash=workload.plan_hash or "",
        load=labels.load(workload),
    )


def _counts(row: CellRow, counts: Counts | None) -> CellRow:
    if counts is None:
        return row
    by_outcome = counts.outcomes
    rejections = [outcome for outcome in Outcome if outcome.rejected]
    rejected = sum(by_outcome.get(outcome, 0) for outcome in rejections)
    timed_out = by_outcome.get(Outcome.QUEUE_TIMEOUT, 0)
    known = {Outcome.OK, Outcome.QUEUE_TIMEOUT, *rejections}
    other = sum(value for name, value in by_outcome.items() if name not in known)
    low, high = wilson(counts.served_in_slo, counts.offered) if counts.offered > 0 else (math.nan, math.nan)
    return replace(
        row,
        offered=number(counts.offered),
        served_in_slo=number(counts.served_in_slo),
        served_late=number(counts.served_late),
        rejected=number(rejected),
        timed_out=number(timed_out),
        other=number(other),
        attainment_low=low,
        attainment_high=high,
    )


def _rates(row: CellRow, summary: CellSummary) -> CellRow:
    """Rates and attainment; the interval of the goodput is that of the attainment, times the offered rate."""
    row = replace(row, window_s=summary.window.length_s, attainment=number(summary.attainment))
    if summary.rates is None:
        return row
    offered_per_s = number(summary.rates.offered_per_s)
    return replace(
        row,
        offered_per_s=offered_per_s,
        achieved_per_s=number(summary.rates.achieved_per_s),
        goodput_per_s=number(summary.rates.goodput_per_s),
        goodput_low_per_s=row.attainment_low * offered_per_s,
        goodput_high_per_s=row.attainment_high * offered_per_s,
        output_tokens_per_s=number(summary.rates.output_tokens_per_s),
    )


def _judged(row: CellRow, saturation: Saturation) -> CellRow:
    return replace(
        row,
        verdict=str(saturation.verdict),
        binding=str(saturation.binding or ""),
        saturation_why=saturation.why,
        load_ratio=number(saturation.load_ratio),
        load_ratio_low=number(saturation.load_ratio_low),
        load_ratio_high=number(saturation.load_ratio_high),
        rejected_ratio=number(saturation.rejected_ratio),
        erlang_loss_ratio=number(saturation.erlang_loss_ratio),
        slots_busy_ratio=number(saturation.slots_busy_ratio),
        queue_mean=number(saturation.queue_mean),
        queue_full_ratio=number(saturation.queue_full_ratio),
        engine_running_mean=number(saturation.engine_running_mean),
        engine_waiting_mean=number(saturation.engine_waiting_mean),
        kv_use_max=number(saturation.kv_use_max),
    )


def _grown(row: CellRow, growth: EngineGrowth) -> CellRow:
    """What the engine counted; nothing of an engine whose counters began anew."""
    if growth.restarted:
        return row
    hits = number(growth.prefix_hit_tokens)
    return replace(
        row,
        preemptions=number(growth.preemptions),
        prefix_hit_ratio=hits / growth.prompt_tokens if growth.prompt_tokens else math.nan,
    )


def validity(summary: CellSummary) -> str:
    """The worst severity among a cell's doubts; "valid" without any, "missing" for a cell without counts."""
    if summary.counts is None:
        return "missing"
    return str(worst(summary.doubts) or "valid")


def latency(summaries: Iterable[CellSummary]) -> pd.DataFrame:
    """One row per cell, latency metric and quantile."""
    return frame_of(LatencyRow, (row for summary in summaries for row in _latencies(summary)))


def _latencies(summary: CellSummary) -> Iterator[LatencyRow]:
    for metric in LATENCIES:
        latency: Latency | None = getattr(summary.latency, metric, None)
        if latency is None:
            continue
        for quantile, value in (("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99)):
            yield LatencyRow(
                cell=summary.cell,
                metric=metric,
                quantile=quantile,
                value_s=number(value.value),
                low_s=number(value.low),
                high_s=number(value.high),
                n=number(latency.n),
                why=value.why or "",
            )


def breakdown(summaries: Iterable[CellSummary]) -> pd.DataFrame:
    """One row per cell and quantile whose requests were taken apart."""
    return frame_of(
        BreakdownRow,
        (
            _parts(summary.cell, quantile, parts)
            for summary in summaries
            if summary.breakdown is not None
            for quantile, parts in (("p50", summary.breakdown.p50), ("p95", summary.breakdown.p95))
            if parts is not None
        ),
    )


def _parts(cell: str, quantile: str, parts: Parts) -> BreakdownRow:
    return BreakdownRow(
        cell=cell,
        quantile=quantile,
        n=number(parts.n),
        e2e_s=parts.of_s,
        send_lag_s=parts.send_lag_s,
        gateway_queue_s=parts.gateway_queue_s,
        network_s=parts.network_s,
        engine_queue_s=number(parts.engine_queue_s),
        prefill_s=parts.prefill_s,
        decode_s=parts.decode_s,
        largest=str(parts.largest),
    )


def outcomes(summaries: Iterable[CellSummary]) -> pd.DataFrame:
    """One row per cell and outcome, `ok` split into served in SLO and served late; in order of display."""
    rows = []
    for summary in summaries:
        if summary.counts is None:
            continue
        counts, offered = summary.counts, summary.counts.offered
        by_outcome = {"served_in_slo": counts.served_in_slo, "served_late": counts.served_late}
        by_outcome |= {str(name): count for name, count in counts.outcomes.items() if name != "ok"}
        if counts.missing > 0:
            by_outcome["missing"] = counts.missing
        order = [name for name in labels.OUTCOMES if name in by_outcome]
        for name in [*order, *sorted(set(by_outcome) - set(order))]:
            count = number(by_outcome[name])
            rows.append(OutcomeRow(summary.cell, name, count, count / offered if offered else math.nan))
    return frame_of(OutcomeRow, rows)


def agreement(summaries: Iterable[CellSummary]) -> pd.DataFrame:
    """One row per cell, metric and quantile for which records and Prometheus were compared."""
    return frame_of(
        AgreementRow,
        (
            AgreementRow(
                cell=summary.cell,
                metric=compared.metric,
                quantile=f"p{compared.quantile * 100:g}",
                records_s=number(compared.records),
                prometheus_s=number(compared.prometheus),
                bucket_low_s=number(compared.bucket_low),
                bucket_high_s=number(compared.bucket_high),
                agrees=compared.agrees,
            )
            for summary in summaries
            for compared in summary.agreement
        ),
    )


def ledger(summaries: Iterable[CellSummary]) -> pd.DataFrame:
    """One row per cell and thing counted by both client and gateway."""
    return frame_of(
        LedgerRow,
        (
            LedgerRow(
                summary.cell, check.what, check.client, check.gateway, check.agrees, check.explanation or ""
            )
            for summary in summaries
            for check in summary.ledger
        ),
    )


def doubts(summaries: Iterable[CellSummary]) -> pd.DataFrame:
    """One row per doubt of a cell."""
    return frame_of(
        DoubtRow,
        (
            DoubtRow(summary.cell, str(doubt.code), str(doubt.severity), doubt.text)
            for summary in summaries
            for doubt in summary.doubts
        ),
    )


def predicted(prediction: Prediction | None) -> pd.DataFrame:
    """One row per cell and measure that was predicted."""
    rows = [
        _predicted(cell.cell, metric, one, cell.speed)
        for cell in (prediction.cells if prediction is not None else ())
        for metric, one in cell.metrics.items()
    ]
    return frame_of(PredictedRow, rows)


def _predicted(cell: str, metric: str, one: PredictedMetric, speed: float) -> PredictedRow:
    return PredictedRow(
        cell=cell,
        metric=metric,
        predicted=number(one.predicted),
        predicted_low=number(one.low),
        predicted_high=number(one.high),
        measured=number(one.measured),
        measured_low=number(one.measured_low),
        measured_high=number(one.measured_high),
        error=number(one.error),
        model_error=number(one.model_error),
        noise=number(one.noise),
        inside=bool(one.inside),
        scored=one.scored,
        speed=number(speed),
    )
