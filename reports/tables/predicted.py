"""What was predicted beside what was measured: accuracy of each measure, error of each value, the matrix."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from experiments.run_folder.prediction import PredictedSetting, Prediction
from reports import labels, numbers
from reports.naming import Naming
from reports.rows import PredictedRow, rows_of
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
        _accuracy(str(metric), frame) for metric, frame in run.predicted.groupby("metric", sort=False)
    ]  # fmt: skip
    return Table(f"Accuracy of the prediction · {run.engine}", heads, rows, "accuracy")


def _accuracy(metric: str, frame: pd.DataFrame) -> list[Entry]:
    scored = frame[frame["scored"].astype(bool)]
    errors = scored["error"].dropna().to_numpy(float)
    worst = float(errors[np.abs(errors).argmax()]) if len(errors) else math.nan
    size = float(np.median(np.abs(errors))) if len(errors) else math.nan
    inside = int(scored["inside"].astype(bool).sum())
    return [
        Entry(labels.predicted_name(metric), metric),
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
        Head("Speed", "the engine's steps in this cell / as calibrated; above 1: slower"),
        Head("Inside", "whether the measured value lies in the prediction interval", number=False),
    ]
    names = cell_names(run.shown)
    rows = [_error(row, names) for row in rows_of(run.predicted, PredictedRow)]
    return Table(f"Predicted, measured, and the signed error · {run.engine}", heads, rows, "errors")


def _error(row: PredictedRow, names: dict[str, str]) -> list[Entry]:
    kind = labels.PREDICTED.get(row.metric, ("", "s"))[1]
    name = names.get(row.cell, row.cell)
    link = "#" + anchor(row.cell) if row.cell in names else ""
    return [
        Entry(name, name, link=link),
        Entry(labels.predicted_name(row.metric), row.metric),
        _value(row.predicted, (row.predicted_low, row.predicted_high), kind),
        _value(row.measured, (row.measured_low, row.measured_high), kind),
        _signed(row.error),
        _signed(row.model_error),
        _signed(row.noise),
        Entry(numbers.significant(row.speed), None if numbers.missing(row.speed) else row.speed),
        _inside(row),
    ]


def _inside(row: PredictedRow) -> Entry:
    if numbers.missing(row.measured) or numbers.missing(row.predicted):
        return Entry(numbers.DASH, numbers.DASH)
    word, tone = ("yes", "") if row.inside else ("no", "bad" if row.scored else "warn")
    return Entry(word, word, "" if row.scored else "not scored: too vague", tone)


def _value(value: float, ends: tuple[float, float], kind: str) -> Entry:
    show = {"s": numbers.seconds, "rate": numbers.rate, "percent": numbers.percent}[kind]
    return Entry(show(value), None if numbers.missing(value) else value, numbers.between(*ends, kind))


def _signed(error: float) -> Entry:
    """A signed share, orange beyond ±10 %."""
    if numbers.missing(error):
        return Entry(numbers.DASH)
    return Entry(f"{error * 100:+.1f} %", error, "", "warn" if abs(error) > LARGE else "")


def predicted_matrix(prediction: Prediction, naming: Naming, engine: str) -> Table:
    """The matrix as the model predicted it before anything of it was measured, the least regret first."""
    widest = max((len(entry.goodput_per_s) for entry in prediction.matrix), default=0)
    loads = [*prediction.loads, *(f"load {at + 1}" for at in range(len(prediction.loads), widest))]
    heads = [Head("Setting", "gateway slots · queue", number=False)]
    heads += [Head(f"Goodput at {load}", "predicted, requests/s") for load in loads]
    heads += [Head("Regret", "the largest share of the best goodput that it loses at any load")]
    by_regret = sorted(prediction.matrix, key=lambda entry: entry.regret)
    rows = [_predicted_setting(naming.of(entry.setting), entry, len(loads)) for entry in by_regret]
    return Table(f"The predicted matrix (not measured) · {engine}", heads, rows, "predicted-matrix")


def _predicted_setting(name: str, entry: PredictedSetting, loads: int) -> list[Entry]:
    absent = [Entry(numbers.DASH)] * (loads - len(entry.goodput_per_s))
    return [
        Entry(name, name),
        *(Entry(numbers.rate(value), value) for value in entry.goodput_per_s),
        *absent,
        Entry(numbers.percent(entry.regret), entry.regret),
    ]
