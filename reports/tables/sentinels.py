"""The sentinel: one setting on one trace in every block, where only the machine can differ."""

from __future__ import annotations

from reports import numbers
from reports.class_verdicts import meets
from reports.rows import CellRow, rows_of
from reports.run import Run
from reports.tables.entry import Entry, Head, Table, anchor
from reports.tables.overview import attainment, goodput, validity
from reports.tables.quantiles import by_quantile, entry


def sentinels(run: Run) -> Table:
    """A row per block; no rows in a run without sentinels."""
    heads = [
        Head("Block", "of the sweep, in running order"),
        Head("Setting", "the same in every block", number=False),
        Head("Goodput", "served in SLO per second, 95 % interval"),
        Head("Attainment", "served in SLO / offered, 95 % interval"),
        Head("TTFT p50"),
        Head("E2E p50"),
        Head("E2E p95"),
        Head("Validity", "the worst doubt about this cell; its section says which", number=False),
    ]
    p50, p95 = (by_quantile(run.latency, quantile) for quantile in ("p50", "p95"))
    watched = run.shown[run.cells["sentinel"].astype(bool)].sort_values(["knobs", "block"], kind="stable")
    rows = [
        [
            Entry(numbers.bare(row.block), row.block, link="#" + anchor(row.cell)),
            Entry(row.setting, row.setting, row.load),
            goodput(row),
            attainment(row, met=meets(run.slo, row, run.summaries.get(row.cell))),
            entry(p50, row.cell, "ttft_s"),
            entry(p50, row.cell, "e2e_s"),
            entry(p95, row.cell, "e2e_s"),
            validity(row),
        ]
        for row in rows_of(watched, CellRow)
    ]
    return Table(f"The sentinel, block by block · {run.engine}", heads, rows, "sentinel")
