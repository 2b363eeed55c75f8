"""A request taken apart: the numbers behind a figure of the parts, a row per bar."""

from __future__ import annotations

from collections.abc import Mapping

from reports import columns, labels, numbers
from reports.rows import BreakdownRow
from reports.tables.entry import Entry, Head, Table, seconds, words

NOT_APART = "not taken apart"


def parts(bars: Mapping[str, BreakdownRow | None], head: str) -> Table:
    """A row per bar by its name; None: not taken apart. `head` says what a bar is."""
    heads = [Head(head, number=False), Head("E2E", columns.BREAKDOWN["e2e_s"][1])]
    heads += [Head(name, columns.BREAKDOWN[column][1]) for column, name in labels.PARTS.items()]
    return Table("Parts, mean seconds", heads, [_row(name, row) for name, row in bars.items()])


def _row(name: str, row: BreakdownRow | None) -> list[Entry]:
    if row is None:
        return [words(name), Entry(NOT_APART, None, "", "quiet"), *[Entry(numbers.DASH)] * len(labels.PARTS)]
    return [words(name), seconds(row.e2e_s), *(_part(row, column) for column in labels.PARTS)]


def _part(row: BreakdownRow, column: str) -> Entry:
    value: float = getattr(row, column)
    if column == "engine_queue_s" and numbers.missing(value):
        return Entry(numbers.DASH, None, "in prefill", "quiet")
    return seconds(value)
