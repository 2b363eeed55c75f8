"""What one state of the code makes of a run folder, as leaves."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.before_after.code import Code
from benchmarks.before_after.html_tables import of_page
from benchmarks.before_after.leaves import Leaf, Leaves, as_number, of_document, of_rows

_KEYS = {
    "cells": ("cell",),
    "latency": ("cell", "metric", "quantile"),
    "outcomes": ("cell", "outcome"),
    "agreement": ("cell", "metric", "quantile"),
    "ledger": ("cell", "what"),
    "doubts": ("cell", "code"),
    "predicted": ("cell", "metric"),
    "columns": ("table", "column"),
}
"""What names a row of an exported table; of one that is not here, its first column."""
_NOT_COPIED = ("prometheus", "logs", "aborted", "report-data", "report.html", ".lock")


def make(code: Code, run: Path, folder: Path) -> Leaves:
    """Copy the run below `folder`, make its report, summary and recommendation with `code`, and read them."""
    copy = folder / "runs" / run.name
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    leaves: Leaves = {}
    # The report shows the recommendation that the run came with; only then it is made anew.
    for name, words in {
        "report": ("reports", str(copy)),
        "summary": ("reports", "summary", str(copy)),
        "recommend": ("experiments.recommend", str(copy)),
    }.items():
        done = code.run("-m", *words)
        leaves[f"{name}:exit code"] = done.returncode
        leaves |= _of_lines(_said(done, name).replace(f"{folder}/", ""), f"{name}:printed")
    return leaves | _of_files(copy)


def _said(done: subprocess.CompletedProcess[str], name: str) -> str:
    """What a command printed; of a failure the last line, since a traceback holds lines of code."""
    if done.returncode != 0:
        return "".join(done.stderr.splitlines()[-1:])
    return done.stdout if name == "summary" else done.stdout + done.stderr


def _of_files(copy: Path) -> Leaves:
    leaves: Leaves = {}
    for name in ("recommendation.json", "recommended.env", "report.html"):
        path = copy / name
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        if name.endswith(".json"):
            leaves |= of_document(json.loads(text), f"{name}:")
        elif name.endswith(".html"):
            leaves |= of_page(text, name)
        else:
            leaves |= _of_lines(text, name)
    for path in sorted((copy / "report-data").glob("*.csv")):
        leaves |= of_csv(path)
    for path in sorted((copy / "report-data").glob("*.parquet")):
        leaves |= of_parquet(path)
    return leaves


def of_csv(path: Path) -> Leaves:
    """The leaves of an exported CSV file; an empty field is a missing value."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [{name: as_number(text) for name, text in row.items() if text} for row in rows]
    return _of_table(path, kept)


def of_parquet(path: Path) -> Leaves:
    """The leaves of an exported Parquet file."""
    rows = pq.read_table(path).to_pylist()
    return _of_table(
        path, [{name: value for name, value in row.items() if value is not None} for row in rows]
    )


def _of_table(path: Path, rows: Iterable[Mapping[str, Leaf]]) -> Leaves:
    def names(row: Mapping[str, Leaf]) -> list[str]:
        return [str(row.get(key, "")) for key in _KEYS.get(path.stem) or list(row)[:1]]

    return of_rows(((names(row), row) for row in rows), f"{path.name}:")


def _of_lines(text: str, path: str) -> Leaves:
    return {f"{path}/{place}": line for place, line in enumerate(text.splitlines(), start=1)}
