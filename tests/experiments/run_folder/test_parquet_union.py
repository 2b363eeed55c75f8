"""The records of all cells are one table to DuckDB, Polars, pandas and pyarrow, also where only one saw a
retry.
"""

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from experiments.run_folder import record_table, series_table
from loadtests.record import KEYS, RequestRecord

ROOT = Path(__file__).resolve().parents[3]
PLAIN = RequestRecord(
    i=0, request_id="a", phase="measure", cls="default", session=-1, due_s=0.5, outcome="ok", first_s=0.75,
    chunk_times_s=[0.75, 0.875],
)  # fmt: skip
RETRIED = replace(
    PLAIN, i=1, attempts=2, tried=["rejected_full", "ok"], chunk_tokens=[1, 3], retry_after_s=1.0
)
OF_CELL = {
    "1-none": [],
    "2-plain": [PLAIN],
    "3-retried": [RETRIED, replace(PLAIN, i=2)],
    "4-plain": [replace(PLAIN, i=3)],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `runs/`, as a user's: one run, a cell for each entry of `OF_CELL`."""
    root = tmp_path_factory.mktemp("user")
    for name, records in OF_CELL.items():
        write(root / "runs" / "r" / "cells" / name, records)
    return root


def write(cell: Path, records: Sequence[RequestRecord]) -> None:
    """As the load generator spools them and the sweep converts them."""
    cell.mkdir(parents=True)
    (cell / "records.jsonl").write_bytes(b"".join(record.to_json() + b"\n" for record in records))
    record_table.convert(cell)


def code_of_the_docs(language: str) -> str:
    """The block of this language in the page about reports."""
    page = (ROOT / "docs" / "reading-a-report.md").read_text()
    (block,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return str(block)


def test_the_examples_of_the_docs_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are typed, in a folder that holds `runs/`."""
    monkeypatch.chdir(folder)
    rows = duckdb.sql(code_of_the_docs("sql")).fetchall()
    assert rows == [("2-plain", 1, 1.0, 0.25), ("3-retried", 2, 1.0, 0.25), ("4-plain", 1, 1.0, 0.25)]
    exec(compile(code_of_the_docs("python"), "the docs", "exec"), {})


def test_duckdb_reads_all_cells_of_all_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A glob over runs and cells, without naming a type."""
    monkeypatch.chdir(folder)
    found = duckdb.sql(
        "SELECT i, attempts, tried FROM 'runs/*/cells/*/records.parquet' ORDER BY i"
    ).fetchall()
    assert found == [(0, 0, None), (1, 2, ["rejected_full", "ok"]), (2, 0, None), (3, 0, None)]


def test_polars_scans_all_cells(folder: Path) -> None:
    """A glob, without naming a type."""
    scanned = pl.scan_parquet(folder / "runs" / "*" / "cells" / "*" / "records.parquet")
    found = scanned.sort("i").select("i", "tried", "chunk_tokens").collect()
    assert found.rows()[:2] == [(0, None, None), (1, ["rejected_full", "ok"], [1, 3])]
    assert len(found) == 4


def test_pyarrow_and_pandas_read_all_cells(folder: Path) -> None:
    """A dataset of the files takes the first one's types for all; pandas takes a folder the same way."""
    files = sorted(folder.glob("runs/*/cells/*/records.parquet"))
    rows = ds.dataset(files).to_table(columns=["i", "tried"]).sort_by("i").to_pylist()
    assert rows[1] == {"i": 1, "tried": ["rejected_full", "ok"]}
    frame = pd.read_parquet(folder / "runs").sort_values("i", ignore_index=True)
    assert frame["tried"].map(lambda tried: None if tried is None else list(tried)).tolist() == [
        None, ["rejected_full", "ok"], None, None,
    ]  # fmt: skip


def test_every_file_has_the_declared_columns(folder: Path) -> None:
    """A column for each field of a record, in its order, of one type whatever the cell held."""
    schemas = [pq.read_schema(path) for path in sorted(folder.glob("runs/*/cells/*/records.parquet"))]
    assert len(schemas) == len(OF_CELL)
    assert all(schema.equals(schemas[0]) for schema in schemas)
    assert schemas[0].names == [dict(KEYS)[field.name] for field in fields(RequestRecord)]
    kinds = {name: str(schemas[0].field(name).type) for name in ("i", "class", "due_s", "tried")}
    assert kinds == {"i": "int64", "class": "string", "due_s": "double", "tried": "list<element: string>"}


def test_records_come_back_as_they_were(folder: Path) -> None:
    """Nothing is lost between a record and the table."""
    table = pq.read_table(folder / "runs" / "r" / "cells" / "3-retried" / "records.parquet")
    assert [RequestRecord.from_json(row) for row in table.to_pylist()] == OF_CELL["3-retried"]


def test_files_of_before_still_read_by_name(tmp_path: Path) -> None:
    """Earlier versions took the types from the cell's own values: without a retry `tried` had none."""
    for name, record in (("1-old", PLAIN), ("2-old", RETRIED)):
        cell = tmp_path / "cells" / name
        cell.mkdir(parents=True)
        row = {key: getattr(record, field) for field, key in KEYS}
        pq.write_table(pa.Table.from_pylist([row]), cell / "records.parquet")
    write(tmp_path / "cells" / "3-new", [replace(RETRIED, i=2)])
    query = f"FROM read_parquet('{tmp_path}/cells/*/records.parquet', union_by_name = true)"
    assert duckdb.sql(f"SELECT i, len(tried) {query} ORDER BY i").fetchall() == [(0, None), (1, 2), (2, 2)]


def test_a_line_that_is_no_record_loses_nothing(tmp_path: Path) -> None:
    """A key that this version does not know must not vanish on the way into the table."""
    line = PLAIN.to_json()[:-1] + b',"colour":"red"}\n'
    (tmp_path / "records.jsonl").write_bytes(line)
    with pytest.raises(ValueError, match="colour"):
        record_table.convert(tmp_path)
    assert (tmp_path / "records.jsonl").read_bytes() == line
    assert not (tmp_path / "records.parquet").exists()


@pytest.mark.parametrize("samples", [[], [(0.0, "gateway_active", 1.0)]])
def test_series_have_the_same_columns_with_and_without_samples(
    tmp_path: Path, samples: list[tuple[float, str, float]]
) -> None:
    """A cell that Prometheus never scraped beside one that it did."""
    frame = pd.DataFrame(samples, columns=["t_s", "metric", "value"])
    series_table.save(frame.astype({"t_s": float, "metric": str, "value": float}), tmp_path)
    assert pq.read_schema(tmp_path / "series.parquet").remove_metadata().equals(series_table.SCHEMA)
    assert len(pd.read_parquet(tmp_path / "series.parquet")) == len(samples)
