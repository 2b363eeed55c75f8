"""The part of the page about one cell: facts, doubts, figures; one cell is read at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports import cell_figures, numbers, records, stages
from reports.blocks import Block
from reports.folder import items, number, part, text
from reports.per_second import per_second
from reports.run import Run
from reports.tables import anchor


@dataclass(frozen=True, slots=True)
class CellPart:
    """One cell of the page. `open`: its section starts unfolded. `slow`: its stages, for the overview."""

    anchor: str
    name: str
    cell: str
    line: str
    engine: str
    facts: list[tuple[str, str]]
    doubts: list[tuple[str, str]]
    notes: list[str]
    blocks: list[Block]
    slow: pd.DataFrame
    open: bool


def cell_part(run: Run, row: dict[str, Any], name: str, *, unfold: bool) -> CellPart:
    """Read one cell's records and series and draw its figures; what cannot be read becomes a note."""
    cell = str(row["cell"])
    known = row["validity"] != "missing"
    notes: list[str] = []
    found = _records(run, cell, notes)
    measured = found[found["phase"] == "measure"]
    slow = stages.at_quantiles(measured)
    blocks = []
    if known or len(measured):
        blocks = [
            cell_figures.over_time(run, cell, _series(run, cell, found, notes)),
            cell_figures.tail(run, cell, measured),
            cell_figures.time_spent(cell, slow),
        ]
    summary = run.summaries[cell]
    doubts = [(text(d.get("severity")), text(d.get("text"))) for d in items(summary, "doubts")]
    return CellPart(
        anchor=anchor(cell),
        name=name,
        cell=cell,
        line=_line(row) if known else "not measured",
        engine=row["engine"],
        facts=_facts(summary, row),
        doubts=doubts,
        notes=notes,
        blocks=blocks,
        slow=slow,
        open=unfold,
    )


def _records(run: Run, cell: str, notes: list[str]) -> pd.DataFrame:
    try:
        frame = run.cell_records(cell, records.LIGHT)
    except records.UnreadableError as error:
        notes.append(str(error))
        return pd.DataFrame(columns=list(records.LIGHT))
    if not len(frame):
        notes.append("No records are stored for this cell.")
    absent = sorted(set(records.LIGHT) - set(frame.columns))
    if absent:
        notes.append(f"The records have no {', '.join(absent)}: figures that need them are empty.")
        frame = frame.assign(**dict.fromkeys(absent, np.nan))
    return frame


def _series(run: Run, cell: str, found: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Prometheus's series; what the records can count per second stands in for its lagging rates."""
    counted = per_second(found)
    try:
        series = run.cell_series(cell)
    except records.UnreadableError as error:
        notes.append(str(error))
        return counted
    rest = series[~series["metric"].isin(counted["metric"])]
    return pd.concat([frame for frame in (counted, rest) if len(frame)] or [counted], ignore_index=True)


def _line(row: dict[str, Any]) -> str:
    share, offered = numbers.percent(row["attainment"]), numbers.count(row["offered"])
    return f"{numbers.rate(row['goodput_per_s'])} goodput · {share} of {offered} offered served in SLO"


def _facts(summary: Mapping[str, Any], row: dict[str, Any]) -> list[tuple[str, str]]:
    window = part(summary, "window")
    found = [
        ("Offered", numbers.rate(row["offered_per_s"])),
        ("Achieved", numbers.rate(row["achieved_per_s"])),
        ("Output tokens", numbers.rate(row["output_tokens_per_s"])),
        ("Window", numbers.seconds(row["window_s"])),
        ("Warm-up", numbers.seconds(number(window.get("warm_up_s")))),
        ("Slots busy, mean", numbers.percent(row["slots_busy_ratio"])),
        ("Queued, mean", numbers.significant(row["queue_mean"])),
        ("Queue full", numbers.percent(row["queue_full_ratio"])),
        ("Engine running, mean", numbers.significant(row["engine_running_mean"])),
        ("Engine waiting, mean", numbers.significant(row["engine_waiting_mean"])),
        ("KV cache, highest", numbers.percent(row["kv_use_max"])),
        ("Arrival plan", row["plan_hash"][:12]),
    ]
    return [(name, value) for name, value in found if value not in ("", numbers.DASH)]
