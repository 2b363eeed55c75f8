"""Cell summaries → tidy frames: one row per cell, quantile, outcome, comparison or doubt
(`reports.columns`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from loadtests.outcome import Outcome
from reports import columns, labels
from reports.folder import items, number, part, text
from reports.interval import wilson

Summary = Mapping[str, Any]
ORDER = (
    "workload",
    "rate_per_s",
    "scenario",
    "max_active",
    "queue_mode",
    "queue_max",
    "queue_timeout_s",
    "queue_order",
    "block",
)
SEVERITIES = ("info", "warn", "invalid")


def cells(summaries: Iterable[Summary]) -> pd.DataFrame:
    """One row per cell: setting, load, counts, rates, saturation; ordered by load, setting, block."""
    frame = _frame((_cell(s) for s in summaries), columns.CELLS)
    return frame.sort_values(list(ORDER), kind="stable", ignore_index=True)


def _cell(s: Summary) -> dict[str, Any]:
    row: dict[str, Any] = {"cell": text(s.get("cell"))}
    row |= _setting_and_load(s.get("setting"), part(s, "workload"))
    row["sentinel"] = s.get("sentinel") is True
    row |= _counts(s) | _rates(s)
    saturation = part(s, "saturation")
    row |= {"verdict": text(saturation.get("verdict")), "binding": text(saturation.get("binding"))}
    for name in ("slots_busy_ratio", "queue_mean", "queue_full_ratio", "kv_use_max"):
        row[name] = number(saturation.get(name))
    for name in ("engine_running_mean", "engine_waiting_mean"):
        row[name] = number(saturation.get(name))
    row["validity"] = validity(s)
    row["engine"] = text(part(s, "engine").get("label"), "engine unknown")
    return row


def _setting_and_load(given: Any, workload: dict[str, Any]) -> dict[str, Any]:
    setting = part(given)
    row: dict[str, Any] = {name: number(setting.get(name)) for name in labels.SETTING_KEYS}
    row |= {name: text(setting.get(name)) for name in ("queue_mode", "queue_order")}
    row["knobs"] = labels.knobs(setting)
    row["setting"] = labels.setting(setting) if isinstance(given, Mapping) else ""
    row["workload"] = text(workload.get("workload"))
    row["scenario"] = text(workload.get("scenario"))
    row["rate_per_s"] = number(workload.get("rate_per_s"))
    row["relative_load"] = number(workload.get("relative_load"))
    row["block"] = number(workload.get("block"))
    row["plan_hash"] = text(workload.get("plan_hash"))
    row["load"] = labels.load(workload) if workload else ""
    return row


def _counts(s: Summary) -> dict[str, Any]:
    counts = part(s, "counts")
    by_outcome = {name: number(value) for name, value in part(counts, "outcomes").items()}
    rejections = [outcome for outcome in Outcome if outcome.rejected]
    rejected = sum(by_outcome.get(outcome, 0) for outcome in rejections)
    timed_out = by_outcome.get(Outcome.QUEUE_TIMEOUT, 0)
    known = {Outcome.OK, Outcome.QUEUE_TIMEOUT, *rejections}
    other = sum(value for name, value in by_outcome.items() if name not in known)
    if not counts:
        rejected = timed_out = other = math.nan
    return {
        "offered": number(counts.get("offered")),
        "served_in_slo": number(counts.get("served_in_slo")),
        "served_late": number(counts.get("served_late")),
        "rejected": rejected,
        "timed_out": timed_out,
        "other": other,
    }


def _rates(s: Summary) -> dict[str, Any]:
    rates, window, counts = part(s, "rates"), part(s, "window"), part(s, "counts")
    row = {
        name: number(rates.get(name))
        for name in ("offered_per_s", "achieved_per_s", "goodput_per_s", "output_tokens_per_s")
    }
    row["window_s"] = number(window.get("end_s")) - number(window.get("start_s"))
    row["attainment"] = number(s.get("attainment"))
    low, high = wilson(number(counts.get("served_in_slo")), number(counts.get("offered")))
    given = part(s, "attainment")  # a summary may give its own, better interval
    low, high = (number(given.get("low")), number(given.get("high"))) if given else (low, high)
    row |= {"attainment_low": low, "attainment_high": high}
    given = part(rates, "goodput_per_s")
    row["goodput_low_per_s"] = number(given.get("low")) if given else low * row["offered_per_s"]
    row["goodput_high_per_s"] = number(given.get("high")) if given else high * row["offered_per_s"]
    return row


def validity(s: Summary) -> str:
    """The worst severity among a cell's doubts; "valid" without any, "missing" for a cell without counts."""
    if not part(s, "counts"):
        return "missing"
    found = {text(doubt.get("severity")) for doubt in items(s, "doubts")}
    return next((severity for severity in reversed(SEVERITIES) if severity in found), "valid")


def latency(summaries: Iterable[Summary]) -> pd.DataFrame:
    """One row per cell, latency metric and quantile."""
    rows = []
    for s in summaries:
        for metric, found in part(s, "latency").items():
            for quantile in ("p50", "p95", "p99"):
                q = part(found, quantile)
                if not q:
                    continue
                row: dict[str, Any] = {"cell": text(s.get("cell")), "metric": metric, "quantile": quantile}
                row |= {f"{name}_s": number(q.get(name)) for name in ("value", "low", "high")}
                rows.append(row | {"n": number(part(found).get("n")), "why": text(q.get("why"))})
    return _frame(rows, columns.LATENCY)


def outcomes(summaries: Iterable[Summary]) -> pd.DataFrame:
    """One row per cell and outcome, `ok` split into served in SLO and served late; in order of display."""
    rows = []
    for s in summaries:
        counts = part(s, "counts")
        offered = number(counts.get("offered"))
        found = {text(name): number(value) for name, value in part(counts, "outcomes").items()}
        split = {name: number(counts.get(name)) for name in ("served_in_slo", "served_late")}
        if not any(math.isnan(value) for value in split.values()):
            found.pop(Outcome.OK, None)
            found = split | found
        if number(counts.get("missing")) > 0:
            found["missing"] = number(counts.get("missing"))
        order = [name for name in labels.OUTCOMES if name in found]
        for name in [*order, *sorted(set(found) - set(order))]:
            share = found[name] / offered if offered else math.nan
            rows.append({"cell": text(s.get("cell")), "outcome": name, "count": found[name], "share": share})
    return _frame(rows, columns.OUTCOMES)


def agreement(summaries: Iterable[Summary]) -> pd.DataFrame:
    """One row per cell, metric and quantile for which records and Prometheus were compared."""
    rows = []
    for s in summaries:
        for entry in items(s, "agreement"):
            row: dict[str, Any] = {"metric": text(entry.get("metric")), "quantile": _quantile(entry)}
            for name in ("records", "prometheus", "bucket_low", "bucket_high"):
                row[f"{name}_s"] = number(entry.get(name))
            rows.append({"cell": text(s.get("cell"))} | row | {"agrees": entry.get("agrees") is True})
    return _frame(rows, columns.AGREEMENT)


def _quantile(entry: Mapping[str, Any]) -> str:
    """The name of a quantile that is given as a name or as a share: 0.95 → p95."""
    share = number(entry.get("quantile"))
    return text(entry.get("quantile")) if math.isnan(share) else f"p{share * 100:g}"


def ledger(summaries: Iterable[Summary]) -> pd.DataFrame:
    """One row per cell and thing counted by both client and gateway."""
    rows = []
    for s in summaries:
        for entry in items(s, "ledger"):
            row: dict[str, Any] = {"cell": text(s.get("cell")), "what": text(entry.get("what"))}
            row |= {name: number(entry.get(name)) for name in ("client", "gateway")}
            row |= {"agrees": entry.get("agrees") is True, "explanation": text(entry.get("explanation"))}
            rows.append(row)
    return _frame(rows, columns.LEDGER)


def doubts(summaries: Iterable[Summary]) -> pd.DataFrame:
    """One row per doubt of a cell."""
    rows = [
        {"cell": text(s.get("cell"))} | {name: text(entry.get(name)) for name in ("code", "severity", "text")}
        for s in summaries
        for entry in items(s, "doubts")
    ]
    return _frame(rows, columns.DOUBTS)


def predicted(found: Mapping[str, Any]) -> pd.DataFrame:
    """predicted.json → one row per cell and measure that was foretold."""
    rows = []
    for entry in items(found, "cells"):
        for metric, one in part(entry, "metrics").items():
            row: dict[str, Any] = {"cell": text(entry.get("cell")), "metric": text(metric)}
            row |= {f"predicted_{end}": number(part(one).get(end)) for end in ("low", "high")}
            for name in columns.PREDICTED:
                if name not in row:
                    row[name] = number(part(one).get(name))
            rows.append(row | {name: part(one).get(name) is True for name in ("inside", "scored")})
    return _frame(rows, columns.PREDICTED)


def _frame(rows: Iterable[Mapping[str, Any]], documented: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """The rows with exactly the documented columns, also when there are none."""
    return pd.DataFrame(list(rows), columns=list(documented))
