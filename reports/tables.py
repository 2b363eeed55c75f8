"""Frames → table rows for people: a text, the exact number behind it, and what to stress."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from reports import labels, numbers
from reports.folder import rows as rows_of
from reports.run import Run


@dataclass(frozen=True, slots=True)
class Entry:
    """One table entry: what is read, the exact value (also what sorting uses), a smaller second line, a
    tone, a link.
    """

    text: str
    value: float | str | None = None
    small: str = ""
    tone: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: heads as (text, explanation, is it a number), rows of entries."""

    caption: str
    heads: list[tuple[str, str, bool]]
    rows: list[list[Entry]]
    name: str = ""
    filterable: bool = False
    tones: list[str] = field(default_factory=list)


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


def words(text: str) -> Entry:
    """Plain text, sorted as it reads."""
    return Entry(text or numbers.DASH, text)


def seconds(value: float, low: float = math.nan, high: float = math.nan, why: str = "") -> Entry:
    """A span with its interval; `why` stands in when there is no value."""
    if numbers.missing(value):
        return Entry(
            "n too small" if why.startswith("n too small") else numbers.DASH,
            None,
            why.partition(": ")[2],
            "quiet",
        )
    return Entry(numbers.seconds(value), value, numbers.between(low, high))


def overview(run: Run) -> Table:
    """One row per cell: the setting, the load, and what came of it."""
    p95 = {
        metric: run.latency[(run.latency.metric == metric) & (run.latency["quantile"] == "p95")].set_index(
            "cell"
        )
        for metric in ("ttft_s", "tpot_s", "e2e_s")
    }
    rows, tones = [], []
    for row in rows_of(run.cells):
        tails = [_quantile(p95[metric], row["cell"]) for metric in ("ttft_s", "tpot_s", "e2e_s")]
        verdict, tone = VERDICTS.get(row["verdict"], (row["verdict"] or numbers.DASH, ""))
        valid, valid_tone = VALIDITY[row["validity"]]
        share = row["attainment"]
        met = run.slo.attainment is not None and not math.isnan(share) and share >= run.slo.attainment
        rows.append(
            [
                Entry(
                    row["setting"] or row["cell"],
                    row["setting"] or row["cell"],
                    link="#" + anchor(row["cell"]),
                ),
                offered_load(row),
                Entry(
                    numbers.rate(row["goodput_per_s"]),
                    row["goodput_per_s"],
                    numbers.between(row["goodput_low_per_s"], row["goodput_high_per_s"], "rate"),
                ),
                Entry(
                    numbers.percent(share),
                    share,
                    f"of {numbers.count(row['offered'])} offered",
                    "good" if met else "",
                ),
                *tails,
                Entry(numbers.percent(_share(row, "rejected")), _share(row, "rejected")),
                Entry(numbers.percent(_share(row, "timed_out")), _share(row, "timed_out")),
                Entry(verdict, verdict, f"binds: {row['binding']}" if row["binding"] else "", tone),
                Entry(valid, valid, "", valid_tone),
            ]
        )
        tones.append("faded" if row["validity"] in ("invalid", "missing") else "")
    heads = [
        ("Setting", "gateway slots · queue", False),
        (
            "Asked load",
            "asked rate, scenario and block, and the rate as a multiple of the probed capacity",
            True,
        ),
        ("Goodput", "served in SLO per second, 95 % interval", True),
        ("Attainment", "served in SLO / offered", True),
        ("TTFT p95", "due time → first chunk with content", True),
        ("TPOT p95", labels.METRICS["tpot_s"][1], True),
        ("E2E p95", "due time → last byte", True),
        ("Rejected", "429 / offered", True),
        ("Timed out", "503 after waiting in the queue / offered", True),
        ("Saturation", "and the resource that binds", False),
        ("Validity", "worst doubt about this cell", False),
    ]
    return Table(f"All cells · {run.engine}", heads, rows, "cells", True, tones)


def offered_load(row: dict[str, Any]) -> Entry:
    """The asked rate, with the scenario and the multiple of the probed capacity below it."""
    block = "" if numbers.missing(row["block"]) else f" #{row['block']:g}"
    multiple = "" if numbers.missing(row["relative_load"]) else f" · {row['relative_load']:.3g} × cap."
    return Entry(numbers.rate(row["rate_per_s"]), row["rate_per_s"], f"{row['scenario']}{block}{multiple}")


def _share(row: dict[str, Any], name: str) -> float:
    return float(row[name] / row["offered"]) if row["offered"] else math.nan


def _quantile(by_cell: pd.DataFrame, cell: str) -> Entry:
    if cell not in by_cell.index:
        return seconds(math.nan)
    q: Any = by_cell.loc[cell]
    return seconds(float(q["value_s"]), float(q["low_s"]), float(q["high_s"]), str(q["why"]))


def quantiles(run: Run, metric: str) -> Table:
    """p50, p95 and p99 of one latency, a row per cell, each with its 95 % interval."""
    part = run.latency[run.latency["metric"] == metric]
    by = {name: group.set_index("cell") for name, group in part.groupby("quantile")}
    counted = part.drop_duplicates("cell").set_index("cell")["n"]
    rows = []
    for row in rows_of(run.cells):
        cell = row["cell"]
        if cell not in counted.index:
            continue
        tails = [_quantile(by[q], cell) if q in by else seconds(math.nan) for q in ("p50", "p95", "p99")]
        n = float(counted[cell])
        head = [Entry(row["setting"] or cell, row["setting"], link="#" + anchor(cell)), offered_load(row)]
        rows.append([*head, *tails, Entry(numbers.count(n), n)])
    heads = [
        ("Setting", "", False),
        ("Asked load", "asked rate, scenario and block", True),
        ("p50", "95 % interval", True),
        ("p95", "95 % interval", True),
        ("p99", "95 % interval", True),
        ("n", "requests behind the number (gaps, for ITL)", True),
    ]
    name, meaning = labels.METRICS.get(metric, (metric, ""))
    return Table(f"{name}: {meaning} · {run.engine}", heads, rows, f"q-{metric}", True)


def anchor(cell: str) -> str:
    """The id of a cell's section, for deep links: letters, digits and dashes only."""
    return "cell-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in cell)


def agreement(run: Run) -> Table:
    """Records and Prometheus side by side; disagreements first."""
    names = dict(zip(run.cells["cell"], _names(run), strict=True))
    frame = run.agreement.sort_values("agrees", kind="stable") if len(run.agreement) else run.agreement
    rows = []
    for row in rows_of(frame):
        agrees = row["agrees"]
        rows.append(
            [
                Entry(names.get(row["cell"], row["cell"]), row["cell"], link="#" + anchor(row["cell"])),
                words(f"{labels.metric(row['metric'])} {row['quantile']}"),
                seconds(row["records_s"]),
                seconds(row["prometheus_s"]),
                Entry(
                    numbers.between(row["bucket_low_s"], row["bucket_high_s"]) or numbers.DASH,
                    row["bucket_low_s"],
                ),
                Entry("within a bucket" if agrees else "differ", str(agrees), "", "" if agrees else "bad"),
            ]
        )
    heads = [
        ("Cell", "", False),
        ("What", "both from the same starting point", False),
        ("Records", "from the client's records: what decisions use", True),
        ("Prometheus", "from the gateway's histogram", True),
        ("Bucket", "bounds of the histogram bucket", True),
        ("", "do they differ by more than a bucket", False),
    ]
    return Table(f"Two sources side by side · {run.engine}", heads, rows, "agreement", True)


def ledger(run: Run) -> Table:
    """What client and gateway counted; differences first."""
    names = dict(zip(run.cells["cell"], _names(run), strict=True))
    frame = run.ledger.sort_values("agrees", kind="stable") if len(run.ledger) else run.ledger
    rows = [
        [
            Entry(names.get(row["cell"], row["cell"]), row["cell"], link="#" + anchor(row["cell"])),
            words(row["what"].replace("_", " ")),
            Entry(numbers.count(row["client"]), row["client"]),
            Entry(numbers.count(row["gateway"]), row["gateway"]),
            Entry(
                "equal" if row["agrees"] else "differ",
                str(row["agrees"]),
                "",
                "" if row["agrees"] else "warn",
            ),
            words(row["explanation"]),
        ]
        for row in rows_of(frame)
    ]
    heads = [
        ("Cell", "", False),
        ("What", "", False),
        ("Client", "counted by the load generator", True),
        ("Gateway", "difference of its counters over the cell", True),
        ("", "", False),
        ("Explanation", "", False),
    ]
    return Table("Client and gateway count the same", heads, rows, "ledger", True)


def outcomes(run: Run) -> Table:
    """Counts of every outcome, a row per cell; each row adds up to the offered requests."""
    if not len(run.outcomes):
        return Table("Outcomes", [], [])
    wide = run.outcomes.pivot_table(index="cell", columns="outcome", values="count", aggfunc="sum")
    present = {str(name) for name in wide.columns}
    order = [*(n for n in labels.OUTCOMES if n in present), *sorted(present - set(labels.OUTCOMES))]
    rows = []
    for row, name in zip(rows_of(run.cells), _names(run), strict=True):
        if row["cell"] not in wide.index:
            continue
        counts = wide.loc[row["cell"]]
        total = float(counts.sum())
        agrees = total == row["offered"]
        entries = [
            Entry(name, name, link="#" + anchor(row["cell"])),
            Entry(numbers.count(row["offered"]), row["offered"]),
        ]
        entries += [
            Entry(numbers.count(counts[o] if pd.notna(counts[o]) else 0), float(counts[o])) for o in order
        ]
        rows.append(
            [*entries, Entry("adds up" if agrees else f"sum {total:g}", total, "", "" if agrees else "bad")]
        )
    heads = [("Cell", "", False), ("Offered", "due in the measured window", True)]
    heads += [(labels.outcome(o), o, True) for o in order]
    return Table(
        f"Outcomes, requests · {run.engine}",
        [*heads, ("", "offered = sum of outcomes", False)],
        rows,
        "outcomes",
        True,
    )


def _names(run: Run) -> list[str]:
    return cell_names(run.cells)


def cell_names(cells: pd.DataFrame) -> list[str]:
    """A short name per cell: setting and rate, the scenario and block only where they tell cells apart."""
    several = {c: cells[c].nunique() > 1 for c in ("scenario", "block")}
    names = []
    for row in rows_of(cells):
        if not row["setting"]:
            names.append(row["cell"])
            continue
        name = row["setting"] + (
            "" if numbers.missing(row["rate_per_s"]) else f" @ {row['rate_per_s']:.3g}/s"
        )
        name += f" {row['scenario']}" if several["scenario"] else ""
        name += f" #{row['block']:g}" if several["block"] and not numbers.missing(row["block"]) else ""
        names.append(name)
    return names


def from_frame(
    frame: pd.DataFrame, caption: str, heads: dict[str, str], spans: tuple[str, ...] = ()
) -> Table:
    """The data behind a figure: chosen columns of a frame under other heads; columns in `spans` are
    seconds.
    """
    rows = []
    for row in rows_of(frame):
        entries = []
        for column in heads:
            value = row[column]
            if isinstance(value, str):
                entries.append(words(value))
            elif column in spans:
                entries.append(seconds(float(value)))
            else:
                entries.append(Entry(numbers.significant(float(value)), float(value)))
        rows.append(entries)
    texts = [
        (text, "", not frame[column].map(lambda v: isinstance(v, str)).any())
        for column, text in heads.items()
    ]
    return Table(caption, texts, rows)
