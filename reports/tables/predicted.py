"""What was foretold beside what was measured: accuracy of each measure, error of each value, the matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from reports import labels, numbers
from reports.folder import items, number, part, strings
from reports.folder import rows as rows_of
from reports.run import Run
from reports.tables.entry import Entry, Head, Table, anchor, cell_names

LARGE = 0.10


def accuracy(run: Run) -> Table:
    """One row per measure: how many values, their errors' middle, size and worst, how many inside."""
    heads = [
        Head("Measure", number=False),
        Head("Scored", "values measured well enough to judge by, of all"),
        Head("Median error", "predicted / measured − 1, signed: how far the model leans"),
        Head("Median size", "of the error, without its sign"),
        Head("Worst", "signed"),
        Head("Inside", "measured values in their prediction interval, of the scored"),
    ]
    rows = [
        _accuracy(metric, frame) for metric, frame in run.predicted.groupby("metric", sort=False)
    ]  # fmt: skip
    return Table(f"Accuracy of the prediction · {run.engine}", heads, rows, "accuracy")


def _accuracy(metric: Any, frame: pd.DataFrame) -> list[Entry]:
    scored = frame[frame["scored"].astype(bool)]
    errors = scored["error"].dropna().to_numpy(float)
    worst = float(errors[np.abs(errors).argmax()]) if len(errors) else math.nan
    size = float(np.median(np.abs(errors))) if len(errors) else math.nan
    inside = int(scored["inside"].astype(bool).sum())
    return [
        Entry(labels.foretold(str(metric)), str(metric)),
        Entry(f"{len(scored)} of {len(frame)}", len(scored)),
        _signed(float(np.median(errors)) if len(errors) else math.nan),
        Entry(numbers.percent(size), None if math.isnan(size) else size),
        _signed(worst),
        Entry(f"{inside} of {len(scored)}", inside),
    ]


def errors(run: Run) -> Table:
    """One row per cell and measure: predicted, measured, and the signed error in its two parts."""
    heads = [
        Head("Cell", number=False),
        Head("Measure", number=False),
        Head("Predicted", "before the cell ran; below it the prediction interval"),
        Head("Measured", "below it the 95 % interval"),
        Head("Error", "predicted / measured − 1"),
        Head("of it the model", "the model on the very trace that was measured / measured − 1"),
        Head("and noise", "(1 + error) / (1 + model's) − 1: the luck of the trace and of the machine"),
        Head("Inside", "whether the measured value lies in the prediction interval", number=False),
    ]
    names = cell_names(run.cells)
    rows = [_error(row, names) for row in rows_of(run.predicted)]
    return Table(f"Predicted, measured, and the signed error · {run.engine}", heads, rows, "errors")


def _error(row: dict[str, Any], names: dict[str, str]) -> list[Entry]:
    kind = labels.FORETOLD.get(row["metric"], ("", "s"))[1]
    name = names.get(row["cell"], row["cell"])
    link = "#" + anchor(row["cell"]) if row["cell"] in names else ""
    known = not numbers.missing(row["measured"]) and not numbers.missing(row["predicted"])
    inside = ("yes", "") if row["inside"] else ("no", "bad" if row["scored"] else "warn")
    said, tone = inside if known else (numbers.DASH, "")
    return [
        Entry(name, name, link=link),
        Entry(labels.foretold(row["metric"]), row["metric"]),
        _value(row, "predicted", kind),
        _value(row, "measured", kind),
        _signed(row["error"]),
        _signed(row["model_error"]),
        _signed(row["noise"]),
        Entry(said, said, "" if row["scored"] or not known else "not scored: too vague", tone),
    ]


def _value(row: dict[str, Any], name: str, kind: str) -> Entry:
    show = {"s": numbers.seconds, "rate": numbers.rate, "percent": numbers.percent}[kind]
    value = row[name]
    ends = numbers.between(row[f"{name}_low"], row[f"{name}_high"], kind)
    return Entry(show(value), None if numbers.missing(value) else value, ends)


def _signed(error: float) -> Entry:
    """A signed share, orange beyond ±10 %."""
    if numbers.missing(error):
        return Entry(numbers.DASH)
    return Entry(f"{error * 100:+.1f} %", error, "", "warn" if abs(error) > LARGE else "")


def foretold(run: Run) -> Table:
    """The matrix as the model foretold it before anything of it was measured, the least regret first."""
    entries = items(run.prediction, "matrix")
    lists = [entry.get("goodput_per_s") for entry in entries]
    widest = max((len(found) for found in lists if isinstance(found, list)), default=0)
    loads = strings(run.prediction, "loads")
    loads += [f"load {at + 1}" for at in range(len(loads), widest)]
    heads = [Head("Setting", "gateway slots · queue", number=False)]
    heads += [Head(f"Goodput at {load}", "predicted, requests/s") for load in loads]
    heads += [Head("Regret", "the largest share of the best goodput that it loses at any load")]
    rows = [_foretold(entry, len(loads)) for entry in entries]
    rows.sort(key=lambda row: (row[-1].value is None, row[-1].value))
    return Table(f"The predicted matrix (not measured) · {run.engine}", heads, rows, "foretold")


def _foretold(entry: dict[str, Any], loads: int) -> list[Entry]:
    name = labels.setting(part(entry, "setting"))
    given = entry.get("goodput_per_s")
    values = [number(value) for value in given] if isinstance(given, list) else []
    values += [math.nan] * (loads - len(values))
    regret = number(entry.get("regret"))
    told = [Entry(numbers.rate(value), None if math.isnan(value) else value) for value in values]
    return [
        Entry(name, name),
        *told,
        Entry(numbers.percent(regret), None if math.isnan(regret) else regret),
    ]
