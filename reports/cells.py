"""The part of the page about one cell: facts, series over time, tail, where the time went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports import figures, labels, numbers, records, stages, svg, tables
from reports.blocks import Block
from reports.folder import items, number, part, text
from reports.run import Run
from reports.tables import Entry, Table

BINS = 10


@dataclass(frozen=True, slots=True)
class CellPart:
    """One cell of the page. `open` is whether its section starts unfolded; `slowest` feeds the overview of
    stages.
    """

    anchor: str
    name: str
    cell: str
    line: str
    engine: str
    facts: list[tuple[str, str]]
    doubts: list[tuple[str, str]]
    notes: list[str]
    blocks: list[Block]
    slowest: pd.DataFrame
    open: bool


def cell_part(run: Run, row: dict[str, Any], name: str, *, unfold: bool) -> CellPart:
    """Read one cell's records and series and draw its figures; what cannot be read becomes a note."""
    cell = str(row["cell"])
    notes: list[str] = []
    measured = _measured(run, cell, notes)
    slow = stages.at_quantiles(measured)
    blocks = []
    if row["validity"] != "missing" or len(measured):
        blocks = [_over_time(run, cell, notes), _tail(run, cell, measured), _stages(run, cell, slow)]
    line = (
        f"{numbers.rate(row['goodput_per_s'])} goodput · {numbers.percent(row['attainment'])} of "
        f"{numbers.count(row['offered'])} offered served in SLO"
    )
    summary = run.summaries[cell]
    return CellPart(
        anchor=tables.anchor(cell),
        name=name,
        cell=cell,
        line=line if row["validity"] != "missing" else "not measured",
        engine=row["engine"],
        facts=_facts(summary, row),
        doubts=[(text(d.get("severity")), text(d.get("text"))) for d in items(summary, "doubts")],
        notes=notes,
        blocks=blocks,
        slowest=slow,
        open=unfold,
    )


def _measured(run: Run, cell: str, notes: list[str]) -> pd.DataFrame:
    try:
        frame = run.cell_records(cell, records.LIGHT)
    except records.UnreadableError as error:
        notes.append(f"{error}")
        return pd.DataFrame(columns=list(records.LIGHT))
    needed = set(records.LIGHT) - set(frame.columns)
    if needed:
        notes.append(f"The records have no {', '.join(sorted(needed))}: figures that need them are empty.")
        frame = frame.assign(**dict.fromkeys(needed, np.nan))
    if not len(frame):
        notes.append("No records are stored for this cell.")
    return frame[frame["phase"] == "measure"]


def _facts(summary: Mapping[str, Any], row: dict[str, Any]) -> list[tuple[str, str]]:
    rates, load, window = part(summary, "rates"), part(summary, "workload"), part(summary, "window")
    found = [
        ("Offered", numbers.rate(row["offered_per_s"])),
        ("Achieved", numbers.rate(row["achieved_per_s"])),
        ("Output tokens", numbers.rate(number(rates.get("output_tokens_per_s")))),
        ("Window", numbers.seconds(row["window_s"])),
        ("Warm-up", numbers.seconds(number(window.get("warm_up_s")))),
        ("Slots busy, mean", numbers.percent(row["slots_busy_ratio"])),
        ("Queued, mean", numbers.significant(row["queue_mean"])),
        ("Queue full", numbers.percent(row["queue_full_ratio"])),
        ("Engine running, mean", numbers.significant(row["engine_running_mean"])),
        ("Engine waiting, mean", numbers.significant(row["engine_waiting_mean"])),
        ("KV cache, highest", numbers.percent(row["kv_use_max"])),
        ("Plan", text(load.get("plan_hash"))[:12]),
    ]
    return [(name, value) for name, value in found if value not in ("", numbers.DASH)]


def _over_time(run: Run, cell: str, notes: list[str]) -> Block:
    try:
        series = run.cell_series(cell)
    except records.UnreadableError as error:
        notes.append(f"{error}")
        series = pd.DataFrame({"t_s": [], "metric": [], "value": []})
    window = part(run.summaries[cell], "window")
    start, end = number(window.get("start_s")), number(window.get("end_s"))
    drawing = figures.time_series(
        series, start_s=0.0 if np.isnan(start) else start, end_s=None if np.isnan(end) else end
    )
    name = f"{tables.anchor(cell)}-time"
    alt = (
        "Offered, admitted and rejected requests, slots, queue, engine and cache use over time; means in "
        "the table below."
    )
    return Block(name, "Over time", "", svg.inline(drawing, name, alt), _series_table(series))


def _series_table(series: pd.DataFrame) -> Table | None:
    """Means of ten equal stretches of time, a row per metric."""
    if not len(series):
        return None
    last = float(series["t_s"].max()) or 1.0
    stretch = (series["t_s"] / last * BINS).clip(upper=BINS - 1).fillna(0).astype(int)
    wide = series["value"].groupby([series["metric"], stretch]).mean().unstack().reindex(columns=range(BINS))
    heads = [("Metric", "", False)] + [
        (f"{i * last / BINS:.0f}–{(i + 1) * last / BINS:.0f} s", "", True) for i in range(BINS)
    ]
    rows = [
        [tables.words(str(metric)), *(Entry(numbers.significant(v), None) for v in values)]
        for metric, values in zip(wide.index, wide.to_numpy(float), strict=True)
    ]
    return Table("Means of ten stretches of time", heads, rows)


def _tail(run: Run, cell: str, measured: pd.DataFrame) -> Block:
    name = f"{tables.anchor(cell)}-tail"
    alt = (
        "Share of offered requests slower than a given time, for TTFT and E2E; quantiles in the table below."
    )
    known = run.latency[
        (run.latency["cell"] == cell) & run.latency["metric"].isin(["ttft_s", "tpot_s", "e2e_s", "queue_s"])
    ]
    rows = []
    for metric, group in known.groupby("metric", sort=False):
        by = group.set_index("quantile")
        tails = [
            tables.seconds(*by.loc[q, ["value_s", "low_s", "high_s", "why"]])
            if q in by.index
            else tables.seconds(np.nan)
            for q in ("p50", "p95", "p99")
        ]
        rows.append([tables.words(labels.metric(str(metric))), *tails])
    table = Table(
        "Quantiles, served requests",
        [("", "", False), ("p50", "", True), ("p95", "", True), ("p99", "", True)],
        rows,
    )
    return Block(name, "The tail", "", svg.inline(figures.tail(measured, run.slo), name, alt), table)


def _stages(run: Run, cell: str, slow: pd.DataFrame) -> Block:
    name = f"{tables.anchor(cell)}-stages"
    named = slow.assign(name=[f"p{q * 100:g} request" for q in slow["quantile"]])
    alt = (
        "The p50 and the p95 request cut into send lag, gateway queue, engine to first token, decode and "
        "the rest."
    )
    heads = {"name": "Request", "e2e_s": "E2E"} | {
        column: text for column, (text, _) in stages.STAGES.items()
    }
    table = tables.from_frame(named, "Stages, seconds", heads, ("e2e_s", *stages.STAGES))
    return Block(name, "Where the time went", "", svg.inline(figures.stages(named), name, alt), table)
