"""p50, p95 and p99 of one latency, a row per cell, each with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from reports import labels, numbers
from reports.rows import CellRow, LatencyRow, rows_of
from reports.run import Run
from reports.tables.entry import Entry, Head, Table, asked_loads, seconds, setting

# (cell, metric) → the entry of one quantile
Lookup = Mapping[tuple[str, str], Entry]


def by_quantile(latency: pd.DataFrame, quantile: str) -> dict[tuple[str, str], Entry]:
    """Every cell's and metric's entry for one quantile of `Run.latency`."""
    return {
        (row.cell, row.metric): seconds(row.value_s, row.low_s, row.high_s, row.why)
        for row in rows_of(latency[latency["quantile"] == quantile], LatencyRow)
    }


def entry(entries: Lookup, cell: str, metric: str) -> Entry:
    """The entry of a cell and metric, or a dash."""
    return entries.get((cell, metric), seconds(math.nan))


def quantiles(run: Run, metric: str) -> Table:
    """The table of one latency over all cells but the sentinels that have it."""
    part = run.latency[run.latency["metric"] == metric]
    tails = [by_quantile(part, quantile) for quantile in ("p50", "p95", "p99")]
    counted = dict(zip(part["cell"], part["n"], strict=True))
    loads = asked_loads(run.cells)
    rows = []
    for row in rows_of(run.naming.columns(run.of_settings), CellRow):
        cell = row.cell
        if cell in counted:
            n = Entry(numbers.count(counted[cell]), counted[cell])
            rows.append([setting(row), loads[cell], *(entry(tail, cell, metric) for tail in tails), n])
    heads = [Head("Setting", number=False), Head("Asked load", "asked rate, scenario and block")]
    heads += [Head(quantile, "with its 95 % interval") for quantile in ("p50", "p95", "p99")]
    heads += [Head("n", "requests behind the number (gaps, for ITL)")]
    name, meaning = labels.METRICS.get(metric, (metric, ""))
    return Table(f"{name}: {meaning} · {run.engine}", heads, rows, f"q-{metric}")
