"""Counts of every outcome, a row per cell; each row must add up to the offered requests."""

from __future__ import annotations

from reports import labels, numbers
from reports.folder import rows as rows_of
from reports.run import Run
from reports.tables.entry import Entry, Head, Table, anchor, cell_names


def outcomes(run: Run) -> Table:
    """The table of outcomes over all cells that have been counted."""
    counts: dict[str, dict[str, float]] = {}
    for row in rows_of(run.outcomes):
        counts.setdefault(row["cell"], {})[row["outcome"]] = row["count"]
    present = {outcome for found in counts.values() for outcome, count in found.items() if count}
    order = [*(n for n in labels.OUTCOMES if n in present), *sorted(present - set(labels.OUTCOMES))]
    names = cell_names(run.cells)
    rows = []
    for row in rows_of(run.cells):
        if row["cell"] not in counts:
            continue
        found = [counts[row["cell"]].get(outcome, 0.0) for outcome in order]
        total = sum(counts[row["cell"]].values())
        head = Entry(names[row["cell"]], names[row["cell"]], link="#" + anchor(row["cell"]))
        adds_up = total == row["offered"]
        said = "yes" if adds_up else f"no: {numbers.count(total)}"
        offered = Entry(numbers.count(row["offered"]), row["offered"])
        last = Entry(said, total, "", "" if adds_up else "bad")
        rows.append([head, offered, *(Entry(numbers.count(n), n) for n in found), last])
    heads = [Head("Cell", number=False), Head("Offered", "due in the measured window")]
    heads += [Head(labels.outcome(outcome), outcome) for outcome in order]
    heads += [Head("Adds up", "offered = sum of outcomes", number=False)]
    return Table(f"Outcomes, requests · {run.engine}", heads, rows, "outcomes")
