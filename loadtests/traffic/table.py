"""Recorded traffic as one table, whether its segments are lines still or Parquet already. The one module of
the load generator that needs pyarrow; nothing that sends imports it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import get_args, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loadtests.traffic.row import TrafficRow
from loadtests.traffic.segments import DRAFT, EVER, LINES, TABLE, Lines, Span, TrafficError, read_lines, stems
from loadtests.traffic.traffic import Names, Traffic

SMALLEST_BYTES = 1 << 16
"""Of fewer lines a table would not be smaller."""
_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64()}


@dataclass(frozen=True, slots=True)
class Found:
    """Rows in order of arrival, with the columns of `TrafficRow`; damaged: how many lines were no rows."""

    table: pa.Table
    damaged: int


def schema() -> pa.Schema:
    """The columns of `TrafficRow`, in order."""
    kinds = get_type_hints(TrafficRow)
    return pa.schema([(name, _ARROW[_plain(kinds[name])]) for name in TrafficRow._fields])


def _plain(hint: type) -> type:
    (kind,) = [part for part in get_args(hint) or (hint,) if part is not NoneType]
    found: type = kind
    return found


def read(folder: Path, span: Span = EVER) -> Found:
    """All rows of a recording that arrived in the span; it may be written to meanwhile.

    Raises:
        TrafficError: the folder is none, or a file of it is none of a recording.
    """
    tables, damaged = [], 0
    for stem in stems(folder, span):
        try:
            table, lines = _segment(folder, stem)
        except (pa.ArrowException, OSError) as error:
            raise TrafficError(f"{folder / stem}: cannot be read: {error}") from None
        tables.append(table)
        damaged += lines
    whole = pa.concat_tables(tables) if tables else schema().empty_table()
    arrived = whole["arrived_unix_s"]
    inside = pc.and_(pc.greater_equal(arrived, span.from_s), pc.less(arrived, span.until_s))
    return Found(whole.filter(inside).sort_by("arrived_unix_s"), damaged)


def traffic(folder: Path, span: Span = EVER) -> Traffic:
    """The same as arrays. Raises TrafficError, also where there is no row."""
    found = read(folder, span)
    if not stems(folder):
        raise TrafficError(f"{folder}: is a directory without segments of a recording")
    if not found.table.num_rows:
        raise TrafficError(
            f"{folder} holds no rows of that time" if span != EVER else f"{folder} holds no rows"
        )
    columns: dict[str, object] = {}
    for field in schema():
        column = found.table[field.name].combine_chunks()
        if field.type == pa.string():
            coded = column.fill_null("").dictionary_encode()
            names = tuple(str(name) for name in coded.dictionary.to_pylist())
            columns[field.name] = Names(names, coded.indices.to_numpy().astype(np.int64))
        else:
            missing = np.nan if field.type == pa.float64() else -1
            columns[field.name] = column.fill_null(missing).to_numpy()
    return Traffic(**columns, damaged=found.damaged)  # type: ignore[arg-type]  # a column each, by name


def ends(folder: Path) -> tuple[float, float]:
    """When the first request of a recording arrived, and the last, Unix seconds: those of its first segment
    and of its last.

    Raises:
        TrafficError: the folder is none, holds no rows, or a file of it is none of a recording.
    """
    found = stems(folder)
    if not found:
        raise TrafficError(f"{folder}: is a directory without segments of a recording")
    first = next(filter(None, (_arrived(folder, stem) for stem in found)), None)
    last = next(filter(None, (_arrived(folder, stem) for stem in reversed(found))), None)
    if first is None or last is None:
        raise TrafficError(f"{folder} holds no rows")
    return first[0], last[1]


def _arrived(folder: Path, stem: str) -> tuple[float, float] | None:
    try:
        arrived = _segment(folder, stem)[0]["arrived_unix_s"]
    except (pa.ArrowException, OSError) as error:
        raise TrafficError(f"{folder / stem}: cannot be read: {error}") from None
    if not len(arrived):
        return None
    low_high = pc.min_max(arrived).as_py()
    return float(low_high["min"]), float(low_high["max"])


def pack(lines: Path) -> Path | None:
    """Makes a table of a closed segment of lines, which then takes its place. None: it stays, being small, or
    having been removed meanwhile.

    Raises:
        TrafficError, OSError, pa.ArrowException: it stays.
    """
    if lines.stat().st_size < SMALLEST_BYTES:
        return None
    read_ = read_lines(lines)
    draft, packed = lines.with_suffix(DRAFT), lines.with_suffix(TABLE)
    facts = {name: str(value) for name, value in {**read_.facts, "damaged": read_.damaged}.items()}
    try:
        draft.touch(mode=0o600)  # as the lines have it, whatever the folder lets others see
        pq.write_table(_of_lines(read_).replace_schema_metadata(facts), draft, compression="zstd")
        if not lines.exists():
            return None
        draft.replace(packed)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
    lines.unlink(missing_ok=True)
    return packed


def _segment(folder: Path, stem: str) -> tuple[pa.Table, int]:
    """A table may take the place of lines between two looks."""
    for suffix in (TABLE, LINES, TABLE):
        path = folder / f"{stem}{suffix}"
        with suppress(FileNotFoundError):
            if suffix == LINES:
                read_ = read_lines(path)
                return _of_lines(read_), read_.damaged
            stored = pq.read_table(path)
            damaged = int((stored.schema.metadata or {}).get(b"damaged", 0))
            return _as_declared(stored), damaged
    return schema().empty_table(), 0  # removed: its time was over


def _of_lines(read_: Lines) -> pa.Table:
    known = dict(zip(read_.columns, zip(*read_.rows, strict=True), strict=True)) if read_.rows else {}
    arrays = [pa.array(known.get(field.name, [None] * len(read_.rows)), field.type) for field in schema()]
    return pa.Table.from_arrays(arrays, schema=schema())


def _as_declared(stored: pa.Table) -> pa.Table:
    """A column that it does not have is null."""
    names = set(stored.column_names)
    arrays = [
        stored[field.name].cast(field.type) if field.name in names else pa.nulls(stored.num_rows, field.type)
        for field in schema()
    ]
    return pa.Table.from_arrays(arrays, schema=schema())
