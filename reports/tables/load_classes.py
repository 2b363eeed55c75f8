"""Load classes, each by its own objective, and how evenly tenants were served: a row per cell and class."""

from __future__ import annotations

from collections.abc import Mapping

from loadtests.recording.latency_summary import Latency
from loadtests.recording.share import wilson
from loadtests.recording.summary import LoadSummary
from loadtests.slo import SLO
from reports import labels, numbers
from reports.rows import CellRow, rows_of
from reports.run import Run
from reports.tables.entry import Entry, Head, Table, asked_loads, seconds, setting, words

_P95 = ("ttft_s", "tpot_s", "e2e_s")


def load_classes(run: Run, name: str) -> Table:
    """One class of a run in every cell."""
    heads = [
        Head("Setting", "gateway slots · queue", number=False),
        Head("Asked load", "rate of all classes together; scenario, block, and the multiple of the capacity"),
        Head("Offered", "its requests that were due in the measured window"),
        Head("Goodput", "served within its own objective per second"),
        Head("Attainment", "served within its own objective / offered, 95 % interval"),
        *(Head(f"{labels.metric(metric)} p95", labels.METRICS[metric][1]) for metric in _P95),
    ]
    own = dict(run.slo.classes)[name]
    loads = asked_loads(run.cells)
    rows = [
        [setting(row), loads[row.cell], *_served(classes[name], own)]
        for row in rows_of(run.naming.columns(run.of_settings), CellRow)
        if name in (classes := _classes(run, row.cell))
    ]
    return Table(f"{name} by {own} · {run.engine}", heads, rows, f"class-{name}")


def _classes(run: Run, cell: str) -> Mapping[str, LoadSummary]:
    summary = run.summaries.get(cell)
    return (summary.classes if summary is not None else None) or {}


def _served(own: LoadSummary, slo: SLO) -> list[Entry]:
    counts, share = own.counts, own.attainment
    low, high = wilson(counts.served_in_slo, counts.offered) if counts.offered else (None, None)
    met = share is not None and share >= slo.attainment
    attained = Entry(
        numbers.percent(share),
        share,
        numbers.between(low, high, "percent"),
        "" if share is None else "good" if met else "bad",
    )
    rate = own.rates.goodput_per_s
    latencies = (getattr(own.latency, metric) for metric in _P95)
    return [
        Entry(numbers.count(counts.offered), counts.offered),
        Entry(numbers.rate(rate), rate),
        attained,
        *(_p95(latency) for latency in latencies),
    ]


def _p95(latency: Latency | None) -> Entry:
    if latency is None or latency.p95.value is None:
        return Entry(numbers.DASH, None, "" if latency is None else latency.p95.why or "", "quiet")
    low, high = latency.p95.low, latency.p95.high
    nan = float("nan")
    return seconds(latency.p95.value, nan if low is None else low, nan if high is None else high)


def tenants(run: Run) -> Table:
    """What each tenant was served of what would be fair, and Jain's index over them."""
    heads = [
        Head("Setting", "gateway slots · queue", number=False),
        Head("Asked load", "rate of all classes together"),
        Head("Jain's index", "over served / fair of the tenants: 1 all alike, 1 / their number one has all"),
        Head("Tenant: served of asked, fair", "tokens of prompts and answers as planned", number=False),
    ]
    loads = asked_loads(run.cells)
    rows = []
    for row in rows_of(run.naming.columns(run.of_settings), CellRow):
        summary = run.summaries.get(row.cell)
        if summary is None or summary.fairness is None:
            continue
        index = summary.fairness.jain
        said = (
            f"{one.tenant}: {numbers.count(one.served_tokens)} of {numbers.count(one.asked_tokens)}, "
            f"{numbers.count(one.fair_tokens)}"
            for one in summary.fairness.tenants
        )
        rows.append(
            [setting(row), loads[row.cell], Entry(numbers.significant(index), index), words("; ".join(said))]
        )
    return Table(f"Tenants, tokens · {run.engine}", heads, rows, "tenants")
