"""Whole sessions, a row per cell: how many were good, and how long they took."""

from __future__ import annotations

from loadtests.recording.latency_summary import Latency
from loadtests.recording.quantiles import Quantile
from loadtests.recording.session_summary import SessionSummary
from loadtests.recording.share import wilson
from reports import numbers
from reports.rows import CellRow, rows_of
from reports.run import Run
from reports.tables.entry import Entry, Head, Table, asked_loads, seconds, setting


def sessions(run: Run) -> Table:
    """The sessions of every cell that has some."""
    heads = [
        Head("Setting", "gateway slots · queue", number=False),
        Head("Asked load", "rate of requests; scenario, block, and the multiple of the capacity"),
        Head("Offered", "sessions that were to begin in the measured window"),
        Head("Requests", "of a session, mean"),
        Head("Good", "sessions per second all of whose requests were good, or that ended in time"),
        Head("Attainment", "good / offered sessions, 95 % interval"),
        Head("Length p50", "first request due to the last answer's end, pauses included; of the served ones"),
        Head("Length p95", "the same"),
    ]
    loads = asked_loads(run.cells)
    rows = []
    for row in rows_of(run.naming.columns(run.of_settings), CellRow):
        summary = run.summaries.get(row.cell)
        if summary is not None and summary.sessions is not None:
            rows.append([setting(row), loads[row.cell], *_served(summary.sessions, run.slo.attainment)])
    return Table(f"Sessions · {run.engine}", heads, rows, "sessions-table")


def _served(own: SessionSummary, target: float | None) -> list[Entry]:
    low, high = wilson(own.good, own.offered) if own.offered else (None, None)
    tone = "" if target is None or own.attainment is None else "good" if own.met(target) else "bad"
    length: Latency = own.length_s
    return [
        Entry(numbers.count(own.offered), own.offered),
        Entry(numbers.significant(own.requests), own.requests),
        Entry(numbers.rate(own.goodput_per_s), own.goodput_per_s),
        Entry(numbers.percent(own.attainment), own.attainment, numbers.between(low, high, "percent"), tone),
        _quantile(length.p50),
        _quantile(length.p95),
    ]


def _quantile(one: Quantile) -> Entry:
    if one.value is None:
        return Entry(numbers.DASH, None, one.why or "", "quiet")
    nan = float("nan")
    return seconds(one.value, nan if one.low is None else one.low, nan if one.high is None else one.high)
