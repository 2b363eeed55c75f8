"""Counts of every outcome, a row per cell; each row must add up to the offered requests."""

from __future__ import annotations

from reports import labels, numbers
from reports.rows import CellRow, OutcomeRow, rows_of
from reports.run import Run
from reports.tables.entry import Entry, Head, Table, anchor, cell_names


def outcomes(run: Run) -> Table:
    """The table of outcomes over all cells that have been counted."""
    counts: dict[str, dict[str, float]] = {}
    for counted in rows_of(run.outcomes, OutcomeRow):
        counts.setdefault(counted.cell, {})[counted.outcome] = counted.count
    present = {outcome for of_cell in counts.values() for outcome, count in of_cell.items() if count}
    order = [*(n for n in labels.OUTCOMES if n in present), *sorted(present - set(labels.OUTCOMES))]
    names = cell_names(run.shown)
    rows = []
    for row in rows_of(run.cells, CellRow):
        if row.cell not in counts:
            continue
        in_order = [counts[row.cell].get(outcome, 0.0) for outcome in order]
        total = sum(counts[row.cell].values())
        head = Entry(names[row.cell], names[row.cell], link="#" + anchor(row.cell))
        adds_up = total == row.offered
        last = Entry("yes" if adds_up else f"no: {numbers.count(total)}", total, "", "" if adds_up else "bad")
        offered = Entry(numbers.count(row.offered), row.offered)
        rows.append([head, offered, *(Entry(numbers.count(n), n) for n in in_order), last])
    heads = [Head("Cell", number=False), Head("Offered", "due in the measured window")]
    heads += [Head(labels.outcome(outcome), outcome) for outcome in order]
    heads += [Head("Adds up", "offered = sum of outcomes", number=False)]
    return Table(f"Outcomes, requests · {run.engine}", heads, rows, "outcomes")
