"""The records and the Prometheus series of one cell, as frames (`reports.columns.RECORDS`, `SERIES`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow
import pyarrow.parquet as parquet

from loadtests.latency import SPANS, span_column_s, tpot_column_s
from reports import columns

# The report needs no chunk times, which are nine tenths of the bytes.
LIGHT = (
    "i",
    "phase",
    "due_s",
    "sent_s",
    "headers_s",
    "first_s",
    "last_s",
    "finished_s",
    "outcome",
    "output_tokens",
    "queue_s",
    "upstream_s",
)
# Read as categories: comparing a million words one by one is most of the work otherwise.
FEW_VALUES = ("phase", "outcome", "class")


class UnreadableError(Exception):
    """A cell's file is there but cannot be used; the message says which and why."""


def read_records(cell_dir: Path, wanted: Sequence[str] | None = None) -> pd.DataFrame:
    """One row per request with the derived latencies added; `wanted` limits the stored columns that are read.

    Reads records.parquet, or records.jsonl of a cell that was cut short (its last, half-written line is
    dropped). An empty frame with the columns of `LIGHT` when there is neither. Raises UnreadableError for a
    damaged file.
    """
    path = cell_dir / "records.parquet"
    if path.exists():
        frame = _parquet(path, wanted)
    elif (cell_dir / "records.jsonl").exists():
        frame = _json_lines(cell_dir / "records.jsonl", wanted)
    else:
        frame = pd.DataFrame(columns=list(LIGHT))
    return _with_derived(frame)


def read_series(cell_dir: Path) -> pd.DataFrame:
    """The cell's series in long form: t_s, metric, value. Empty when there are none; UnreadableError when
    damaged.
    """
    path = cell_dir / "series.parquet"
    if not path.exists():
        return pd.DataFrame(
            {name: pd.Series(dtype="object" if name == "metric" else float) for name in columns.SERIES}
        )
    return _parquet(path, list(columns.SERIES))


def _parquet(path: Path, wanted: Sequence[str] | None) -> pd.DataFrame:
    try:
        with parquet.ParquetFile(path) as file:
            stored = set(file.schema_arrow.names)
            chosen = None if wanted is None else [name for name in wanted if name in stored]
            table = file.read(columns=chosen)
            words = [name for name in FEW_VALUES if name in table.column_names]
            frame: pd.DataFrame = table.to_pandas(categories=words)
    except (OSError, pyarrow.ArrowException) as error:
        raise UnreadableError(
            f"{path.parent.name}/{path.name} cannot be read: {str(error).splitlines()[0]}"
        ) from error
    return frame


def _json_lines(path: Path, wanted: Sequence[str] | None) -> pd.DataFrame:
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict):
            rows.append(row if wanted is None else {name: row.get(name) for name in wanted})
    return pd.DataFrame(rows, columns=None if rows else list(LIGHT))


def _with_derived(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what is missing of the derived latencies; every time column becomes float64."""
    times = [name for name in frame.columns if name.endswith("_s") and name != "chunk_times_s"]
    frame = frame.assign(**{name: pd.to_numeric(frame[name], errors="coerce") for name in times})
    for name, moments in SPANS.items():
        if name not in frame and set(moments) <= set(frame.columns):
            frame[name] = span_column_s(name, {moment: frame[moment].to_numpy(float) for moment in moments})
            if name == "e2e_s" and "outcome" in frame:
                frame[name] = frame[name].where(frame["outcome"] == "ok")
    if "tpot_s" not in frame and {"first_s", "last_s", "output_tokens"} <= set(frame.columns):
        tokens = pd.to_numeric(frame["output_tokens"], errors="coerce").to_numpy(float)
        first_s, last_s = (frame[moment].to_numpy(float) for moment in ("first_s", "last_s"))
        frame["tpot_s"] = tpot_column_s(first_s, last_s, tokens)
    return frame
