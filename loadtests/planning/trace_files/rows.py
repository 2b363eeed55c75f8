"""The rows of a text, each with its place: CSV with a header, JSON lines, or one JSON array of objects."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import orjson

from loadtests.planning.trace_files.trace import TraceError

Cells = Mapping[str, object]
_NESTED = 5
"""Levels of objects in a row whose keys are joined, as in `response.body.usage.prompt_tokens`."""
_DOCUMENT_CHARACTERS = 64 * 2**20


class Row(NamedTuple):
    """`number` counts lines, or the rows of an array, from 1; the names of cells are in lower case."""

    number: int
    cells: Cells


@dataclass(frozen=True, slots=True)
class Rows:
    """`word` says what a row's number counts; `header` is that of a CSV as it is spelled, () for JSON."""

    rows: Iterator[Row]
    word: str = "line"
    header: tuple[str, ...] = ()


def rows_of(text: io.TextIOBase) -> Rows:
    """Every row, in order; blank lines are passed over.

    Raises:
        TraceError: now or from the rows: it is not what its first character promised.
    """
    for number, first in enumerate(text, start=1):
        match first.lstrip()[:1]:
            case "":
                continue
            case "[":
                return Rows(_array(first + text.read(_DOCUMENT_CHARACTERS)), "row")
            case "{":
                return Rows(_json_lines(first, text, number))
            case _:
                return _csv(first, text, number)
    return Rows(iter(()))


def _array(document: str) -> Iterator[Row]:
    try:
        rows = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise TraceError(f"is not JSON: {error.msg} at {where}") from None
    for number, cells in enumerate(rows, start=1):
        if not isinstance(cells, dict):
            raise TraceError(f"row {number}: is not a JSON object")
        yield Row(number, _flat(cells))


def _json_lines(first: str, text: io.TextIOBase, number: int) -> Iterator[Row]:
    lines = chain([first], text)
    for at, line in enumerate(lines, start=number):
        if not line.strip():
            continue
        try:
            cells = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if at == number and _is_one_object(first + text.read(_DOCUMENT_CHARACTERS)):
                raise TraceError("is one JSON object over several lines, not a request on each") from None
            raise TraceError(f"line {at}: is not JSON: {error.msg} at column {error.colno}") from None
        if not isinstance(cells, dict):
            raise TraceError(f"line {at}: is not a JSON object")
        yield Row(at, _flat(cells))


def _is_one_object(document: str) -> bool:
    try:
        orjson.loads(document)
    except orjson.JSONDecodeError:
        return False
    return True


def _flat(cells: Mapping[str, object], prefix: str = "", level: int = 1) -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in cells.items():
        name = prefix + key.strip().lower()
        if isinstance(value, str) and value.startswith("{"):
            value = _opened(value)
        if isinstance(value, dict) and level < _NESTED:
            flat.update(_flat(value, f"{name}.", level + 1))
        else:
            flat[name] = value
    return flat


def _opened(text: str) -> object:
    """The object that is written in a string, as some logs keep bodies; the string where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _csv(first: str, text: io.TextIOBase, number: int) -> Rows:
    head = first
    if re.fullmatch(r"sep=.\s*", first):  # written by spreadsheets; the header tells the same
        head, number = next(text, ""), number + 1
    delimiter = max(",;\t|", key=head.count)
    reader = csv.reader(chain([head], text), delimiter=delimiter)
    try:
        header = tuple(name.strip() for name in next(reader, ()))
    except csv.Error as error:
        raise TraceError(f"line {number}: is not CSV: {error}") from None
    names = tuple(name.lower() for name in header)

    def rows() -> Iterator[Row]:
        place = number
        try:
            place = number + reader.line_num
            for cells in reader:
                if cells:
                    yield Row(place, _named(names, cells, place))
                place = number + reader.line_num
        except csv.Error as error:
            raise TraceError(f"line {place}: is not CSV: {error}") from None

    return Rows(rows(), header=header)


def _named(names: tuple[str, ...], cells: list[str], number: int) -> dict[str, object]:
    if len(cells) != len(names) and (len(cells) < len(names) or any(cells[len(names) :])):
        raise TraceError(f"line {number}: has {len(cells)} cells where the header has {len(names)}")
    return dict(zip(names, cells, strict=False))
