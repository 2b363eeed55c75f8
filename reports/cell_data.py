"""One cell's records and series as its page draws them; what is missing or damaged becomes a note."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.run_folder.cell_summary import CellSummary
from reports import records
from reports.per_second import per_second
from reports.run import Run


def records_of(run: Run, cell: str, notes: list[str]) -> pd.DataFrame:
    """The records of every phase, with each column that a figure of the cell needs: `records.LIGHT`, and the
    first visible token where the objective has a bound on it."""
    try:
        frame = run.cell_records(cell, _wanted(run))
    except records.UnreadableError as error:
        notes.append(str(error))
        return pd.DataFrame(columns=list(records.LIGHT))
    if not len(frame):
        notes.append("No records are stored for this cell.")
    absent = sorted(set(_wanted(run)) - set(frame.columns))
    if absent:
        notes.append(f"The records have no {', '.join(absent)}: figures that need them are empty.")
        frame = frame.assign(**dict.fromkeys(absent, np.nan))
    return frame


def _wanted(run: Run) -> tuple[str, ...]:
    """The first visible token only where the objective has a bound on it, since older records have none; the
    class only where it decides the objective."""
    visible = any(own.ttfv_s is not None for _, own in run.slo.classes) or run.slo.ttfv_s is not None
    return (*records.LIGHT, *["visible_s"] * visible, *["class"] * bool(run.slo.classes))


def series_of(run: Run, cell: str, stored: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Prometheus's series; what the records (`stored`) can count per second stands in for its lagging
    rates."""
    counted, speed = per_second(stored), _speed(run.summaries.get(cell))
    if len(speed):
        counted = pd.concat([counted, speed], ignore_index=True) if len(counted) else speed
    try:
        series = run.cell_series(cell)
    except records.UnreadableError as error:
        notes.append(str(error))
        return counted
    rest = series[~series["metric"].isin(counted["metric"].unique())]
    return pd.concat([frame for frame in (counted, rest) if len(frame)] or [counted], ignore_index=True)


def _speed(summary: CellSummary | None) -> pd.DataFrame:
    """The speed index second by second, on the cell's clock; empty where nobody judged it."""
    columns = ["t_s", "metric", "value"]
    if summary is None or summary.speed is None:
        return pd.DataFrame(columns=columns)
    seconds, start_s = summary.speed.seconds, summary.window.start_s
    lines = {"": seconds.index, "_low": seconds.low, "_high": seconds.high}
    return pd.DataFrame(
        [
            (start_s + at_s, f"engine_speed_index{suffix}", value)
            for suffix, values in lines.items()
            for at_s, value in zip(seconds.t_s, values, strict=False)
        ],
        columns=columns,
    )
