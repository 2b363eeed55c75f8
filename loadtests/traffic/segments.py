"""Segments of a recording: their names, and the rows of one that is still lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from loadtests.bulk import no_collection
from loadtests.traffic.row import SCHEMA_VERSION, TrafficRow

LINES, TABLE, DRAFT = ".jsonl", ".parquet", ".part"
Cells = Sequence[object]
_LONGEST_S = 2 * 3600.0
"""More than lies between the arrival of a row and the time at which its segment was begun."""
_is_segment = re.compile(r"(\d{8}T\d{6}\.\d{6})Z-[0-9a-f]{6}").fullmatch


class TrafficError(ValueError):
    """A recording that cannot be read as asked: one sentence that names what is wrong."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, [from_s, until_s) in Unix seconds."""

    from_s: float = 0.0
    until_s: float = 1e12


EVER = Span()


@dataclass(frozen=True, slots=True)
class Lines:
    """What a segment of lines holds. facts: of its head; damaged: how many lines are no rows, the torn last
    one of a gateway that was killed among them.
    """

    rows: Sequence[Cells]
    columns: Sequence[str]
    facts: Mapping[str, object]
    damaged: int


def stems(folder: Path, span: Span = EVER) -> list[str]:
    """The names of the segments that may hold rows that arrived in the span, without their suffixes, in order
    of time.

    Raises:
        TrafficError: there is no such folder.
    """
    try:
        names = sorted({path.stem for path in folder.iterdir() if path.suffix in (LINES, TABLE)})
    except OSError as error:
        raise TrafficError(f"{folder}: {error.strerror}") from None
    return [name for name in names if _may_hold(name, span)]


def _may_hold(name: str, span: Span) -> bool:
    match = _is_segment(name)
    if match is None:
        return False
    begun_s = datetime.strptime(match[1], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC).timestamp()
    return span.from_s - _LONGEST_S < begun_s < span.until_s + _LONGEST_S


@no_collection()
def read_lines(path: Path) -> Lines:
    """The rows of a segment of lines.

    Raises:
        TrafficError: its head is none, or of another version.
        OSError: it cannot be read.
    """
    first, *lines = path.read_bytes().split(b"\n")
    if not lines:  # killed within its first line
        return Lines((), TrafficRow._fields, {}, 1 if first else 0)
    torn = 1 if lines.pop() else 0  # what follows the last line end
    facts = _head(path, first)
    columns = facts.pop("columns")
    assert isinstance(columns, list)
    try:
        rows = orjson.loads(b"[" + b",".join(lines) + b"]")
        damaged = 0
    except orjson.JSONDecodeError:
        rows, damaged = _one_by_one(lines)
    whole = [row for row in rows if isinstance(row, list) and len(row) == len(columns)]
    return Lines(whole, columns, facts, torn + damaged + len(rows) - len(whole))


def _head(path: Path, line: bytes) -> dict[str, object]:
    try:
        facts = orjson.loads(line)
        version, columns = facts["schema_version"], facts["columns"]
    except (orjson.JSONDecodeError, TypeError, KeyError):
        raise TrafficError(f"{path}: is no segment of a recording") from None
    if version != SCHEMA_VERSION or not isinstance(columns, list):
        raise TrafficError(f"{path}: is of version {version}, this program reads {SCHEMA_VERSION}")
    return dict(facts)


def _one_by_one(lines: Iterable[bytes]) -> tuple[list[object], int]:
    rows: list[object] = []
    damaged = 0
    for line in lines:
        try:
            rows.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            damaged += 1
    return rows, damaged
