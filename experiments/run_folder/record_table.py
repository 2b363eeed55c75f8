"""A cell's records: spooled line by line while the load runs, one Parquet table once it is over.

The columns and their types are those that `RequestRecord` declares, whatever the cell happened to hold: the
files of all cells can be read as one table, also where only one of them saw a retry.
"""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from loadtests.record import KEYS, RequestRecord

# In this order: a StrEnum is a str.
_ARROW = ((str, pa.string()), (int, pa.int64()), (float, pa.float64()))


def schema() -> pa.Schema:
    """The columns of `records.parquet`, in the order of the record's fields. Every column may be null.

    Raises:
        TypeError: a field of the record has a type that has no column type here.
    """
    types = get_type_hints(RequestRecord)
    keys = dict(KEYS)
    return pa.schema([(keys[field.name], _arrow(types[field.name])) for field in fields(RequestRecord)])


def convert(folder: Path) -> list[RequestRecord]:
    """Turn `records.jsonl` into `records.parquet` and return the records in order of arrival.

    The text file goes only after the table is on disk under its name. A last line torn by a crash is skipped;
    the count of records against the plan tells.

    Raises:
        ValueError: a line holds no record; both files are as they were.
    """
    spool = folder / "records.jsonl"
    rows = sorted(_rows(spool), key=lambda row: row["i"])
    records = [RequestRecord.from_json(row) for row in rows]
    temporary = folder / ".records.parquet.tmp"
    pq.write_table(pa.Table.from_pylist(rows, schema()), temporary, compression="zstd")
    temporary.replace(folder / "records.parquet")
    spool.unlink()
    return records


def _rows(spool: Path) -> list[dict[str, Any]]:
    rows = []
    for line in spool.read_bytes().splitlines():
        try:
            rows.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue
    return rows


def _arrow(hint: Any) -> pa.DataType:
    """The column type of a declared type: text, whole number, float, a sequence of these, or one of them
    or None.
    """
    if get_origin(hint) in (Union, UnionType):
        hint, *others = [part for part in get_args(hint) if part is not NoneType]
        if others:
            raise TypeError(f"a column has one type, not {hint} and {others}")
    if get_origin(hint) is Sequence:
        return pa.list_(_arrow(*get_args(hint)))
    for base, arrow in _ARROW:
        if isinstance(hint, type) and issubclass(hint, base) and hint is not bool:
            return arrow
    raise TypeError(f"no column type for {hint}")
