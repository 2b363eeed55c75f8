"""Two sources of the same number side by side: records and Prometheus, client and gateway. A row per cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import pandas as pd

from reports import labels, numbers
from reports.rows import AgreementRow, LedgerRow, rows_of
from reports.run import Run
from reports.tables.entry import Entry, Head, Table, anchor, cell_names

Column = TypeVar("Column")


def agreement(run: Run) -> Table:
    """Each p50 and p95 from the records, below it the same from Prometheus; red where they differ."""
    frame = run.agreement
    pairs = list(dict.fromkeys(zip(frame["metric"], frame["quantile"], strict=True)))
    meaning = "records, below it Prometheus; both from the same starting point"
    heads = [Head("Cell", number=False)]
    heads += [Head(f"{labels.metric(metric)} {quantile}", meaning) for metric, quantile in pairs]
    entries = {(row.cell, (row.metric, row.quantile)): _pair(row) for row in rows_of(frame, AgreementRow)}
    caption = f"Records, and below them Prometheus · {run.engine}"
    return Table(caption, heads, _by_cell(run, frame, entries, pairs), "agreement")


def _pair(row: AgreementRow) -> Entry:
    other = numbers.seconds(row.prometheus_s)
    bucket = numbers.between(row.bucket_low_s, row.bucket_high_s)
    small = other if row.agrees else f"≠ {other} (bucket {bucket})"
    return Entry(numbers.seconds(row.records_s), row.records_s, small, "" if row.agrees else "bad")


def ledger(run: Run) -> Table:
    """What the client counted, below it the gateway's count; what neither ever saw is left out."""
    frame = run.ledger
    whats = list(dict.fromkeys(frame[(frame["client"] != 0) | (frame["gateway"] != 0)]["what"]))
    heads = [Head("Cell", number=False), *(Head(what.replace("_", " ")) for what in whats)]
    entries = {(row.cell, row.what): _count(row) for row in rows_of(frame, LedgerRow)}
    rows = _by_cell(run, frame, entries, whats)
    return Table(f"Counted by the client, and below it by the gateway · {run.engine}", heads, rows, "ledger")


def _count(row: LedgerRow) -> Entry:
    """Both counts, and why they differ: red where that is a fault. Sums of times agree within a tolerance."""
    client, gateway = row.client, row.gateway
    show = numbers.count if float(client).is_integer() else numbers.significant
    if client == gateway:
        return Entry(show(client), client, show(gateway))
    sign = "≈" if row.agrees else "≠"
    small = f"{sign} {show(gateway)}: {row.explanation or 'unexplained'}"
    counted = float(client).is_integer() and float(gateway).is_integer()
    tone = "bad" if not row.agrees else ("warn" if counted else "")
    return Entry(show(client), None if numbers.missing(client) else client, small, tone)


def _by_cell(
    run: Run, frame: pd.DataFrame, entries: Mapping[tuple[str, Column], Entry], columns: Sequence[Column]
) -> list[list[Entry]]:
    """A row per cell of the frame; a dash where it has no entry for a column."""
    names, have = cell_names(run.shown), set(frame["cell"])
    return [
        [
            Entry(names[cell], names[cell], link="#" + anchor(cell)),
            *(entries.get((cell, column), Entry(numbers.DASH)) for column in columns),
        ]
        for cell in run.cells["cell"]
        if cell in have
    ]
