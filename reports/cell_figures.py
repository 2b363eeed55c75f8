"""The three figures of one cell: over time, the tail, where the time went."""

from __future__ import annotations

import pandas as pd

from reports import figures, labels, numbers, svg
from reports.blocks import Block
from reports.plots import Plots
from reports.rows import BreakdownRow, rows_of
from reports.run import Run
from reports.tables import Entry, Head, Table, anchor, parts, words
from reports.tables.quantiles import by_quantile, entry

STRETCHES = 10


def over_time(run: Run, cell: str, series: pd.DataFrame) -> Block:
    """Load, gateway, engine and cache on one clock."""
    name = f"{anchor(cell)}-time"
    alt = "Requests, slots, queue, engine and cache use over time; means in the table below."
    return Block(
        name, "Over time", "", svg.inline(Plots(run).of_series(cell, series), name, alt), series_table(series)
    )


def series_table(series: pd.DataFrame) -> Table | None:
    """Means of ten equal stretches of time, a row per metric; None without series."""
    if not len(series):
        return None
    width = (float(series["t_s"].max()) or 1.0) / STRETCHES
    stretch = (series["t_s"] / width).clip(0, STRETCHES - 1).fillna(0).astype(int)
    means = series["value"].groupby([series["metric"], stretch]).mean().unstack()
    means = means.reindex(columns=range(STRETCHES))
    heads = [Head("Metric", number=False)]
    heads += [Head(f"{i * width:.0f}–{(i + 1) * width:.0f} s") for i in range(STRETCHES)]
    rows = [
        [words(str(metric)), *(Entry(numbers.significant(value)) for value in values)]
        for metric, values in zip(means.index, means.to_numpy(float), strict=True)
    ]
    return Table("Means of ten stretches of time", heads, rows)


def tail(run: Run, cell: str, measured: pd.DataFrame) -> Block:
    """The complementary distribution of TTFT and E2E over offered requests."""
    name = f"{anchor(cell)}-tail"
    alt = "Share of offered requests slower than a time, for TTFT and E2E; quantiles in the table below."
    known = run.latency[run.latency["cell"] == cell]
    quantiles = [by_quantile(known, quantile) for quantile in ("p50", "p95", "p99")]
    metrics = [m for m in ("ttft_s", "tpot_s", "e2e_s", "queue_s") if (known["metric"] == m).any()]
    rows = [[words(labels.metric(m)), *(entry(q, cell, m) for q in quantiles)] for m in metrics]
    heads = [Head("Served requests", number=False), Head("p50"), Head("p95"), Head("p99")]
    table = Table("Quantiles with 95 % intervals", heads, rows)
    return Block(name, "The tail", "", svg.inline(figures.tail(measured, run.common_slo), name, alt), table)


def time_spent(run: Run, cell: str) -> Block:
    """The p50 and the p95 request, taken apart."""
    name = f"{anchor(cell)}-parts"
    own = run.breakdown[run.breakdown["cell"] == cell]
    bars: dict[str, BreakdownRow | None] = {
        f"{row.quantile} request": row for row in rows_of(own, BreakdownRow)
    }
    alt = (
        "The p50 and the p95 request cut into send lag, gateway queue, network, engine queue, prefill and "
        "decode; numbers in the table below."
    )
    drawing = svg.inline(Plots(run).parts(cell), name, alt)
    return Block(name, "Where the time went", "", drawing, parts(bars, "Request"))
