"""One row per cell: the setting, the load, and what came of it."""

from __future__ import annotations

from reports import labels, numbers
from reports.class_verdicts import meets
from reports.rows import CellRow, rows_of
from reports.run import Run
from reports.tables.entry import Entry, Head, Table, asked_loads, setting, share
from reports.tables.quantiles import Lookup, by_quantile, entry

VERDICTS = {
    "stable": ("stable", "good"),
    "saturated": ("saturated", "warn"),
    "cant_tell": ("can't tell", "quiet"),
}
VALIDITY = {
    "valid": ("valid", ""),
    "info": ("note", ""),
    "warn": ("doubt", "warn"),
    "invalid": ("invalid", "bad"),
    "missing": ("not measured", "quiet"),
}
HEADS = (
    Head("Setting", "gateway slots · queue", number=False),
    Head("Asked load", "asked rate; scenario, block, and the rate as a multiple of the probed capacity"),
    Head("Goodput", "served in SLO per second, 95 % interval"),
    Head("Attainment", "served in SLO / offered, 95 % interval"),
    Head("TTFT p95", labels.METRICS["ttft_s"][1]),
    Head("TPOT p95", labels.METRICS["tpot_s"][1]),
    Head("E2E p95", labels.METRICS["e2e_s"][1]),
    Head("Rejected", "429 / offered"),
    Head("Timed out", "503 after waiting in the queue / offered"),
    Head("Saturation", "and the resource that binds", number=False),
    Head("Validity", "the worst doubt about this cell; its section says which", number=False),
)


def overview(run: Run) -> Table:
    """The table of all cells but the sentinels; one that no setting is chosen by says what it is for."""
    p95 = by_quantile(run.latency, "p95")
    cells = rows_of(run.naming.columns(run.of_settings), CellRow)
    tones = ["" if row.usable else "faded" for row in cells]
    loads = asked_loads(run.cells)
    met = {row.cell for row in cells if meets(run.slo, row, run.summaries.get(row.cell))}
    rows = [_row(row, loads[row.cell], p95, met=row.cell in met) for row in cells]
    return Table(f"All cells · {run.engine}", list(HEADS), rows, "cells", tones)


def goodput(row: CellRow) -> Entry:
    """A cell's goodput with its interval."""
    ends = numbers.between(row.goodput_low_per_s, row.goodput_high_per_s, "rate")
    return Entry(numbers.rate(row.goodput_per_s), row.goodput_per_s, ends)


def attainment(row: CellRow, *, met: bool) -> Entry:
    """A cell's attainment with its interval, green where it meets the objective."""
    ends = numbers.between(row.attainment_low, row.attainment_high, "percent")
    return Entry(numbers.percent(row.attainment), row.attainment, ends, "good" if met else "")


def validity(row: CellRow) -> Entry:
    """The worst doubt about a cell."""
    name, tone = VALIDITY[row.validity]
    return Entry(name, name, "", tone)


def _row(row: CellRow, load: Entry, p95: Lookup, *, met: bool) -> list[Entry]:
    verdict, tone = VERDICTS.get(row.verdict, (row.verdict or numbers.DASH, ""))
    return [
        setting(row),
        load,
        goodput(row),
        attainment(row, met=met),
        *(entry(p95, row.cell, metric) for metric in ("ttft_s", "tpot_s", "e2e_s")),
        share(row.rejected, row.offered),
        share(row.timed_out, row.offered),
        Entry(verdict, verdict, row.binding, tone),
        validity(row),
    ]
