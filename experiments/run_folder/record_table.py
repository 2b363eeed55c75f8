"""A cell's records: spooled line by line while the load runs, one Parquet table once it is over."""

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from loadtests.record import RequestRecord


def convert(folder: Path) -> list[RequestRecord]:
    """Turn `records.jsonl` into `records.parquet` and return the records in order of arrival.

    The text file goes only after the table is on disk under its name. A last line torn by a crash is skipped;
    the count of records against the plan tells.
    """
    spool = folder / "records.jsonl"
    rows = sorted(_rows(spool), key=lambda row: row["i"])
    table = pa.Table.from_pylist(rows) if rows else pa.table({"i": pa.array([], pa.int64())})
    temporary = folder / ".records.parquet.tmp"
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(folder / "records.parquet")
    spool.unlink()
    return [RequestRecord.from_json(row) for row in rows]


def read(folder: Path) -> list[RequestRecord]:
    """The records of a finished cell, in order of arrival."""
    rows = pq.read_table(folder / "records.parquet").to_pylist()
    return [RequestRecord.from_json(row) for row in rows]


def _rows(spool: Path) -> list[dict[str, Any]]:
    rows = []
    for line in spool.read_bytes().splitlines():
        try:
            rows.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue
    return rows
