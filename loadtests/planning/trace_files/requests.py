"""A row becomes a request: each cell is checked; an error names place, column, value and what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeVar

from loadtests.planning.trace_files import log_columns
from loadtests.planning.trace_files.cells import CellError, label, number, shown, tokens
from loadtests.planning.trace_files.clock import Clock
from loadtests.planning.trace_files.formats import Format, Names
from loadtests.planning.trace_files.rows import Row, Rows
from loadtests.planning.trace_files.trace import TraceError

T = TypeVar("T")
_LONGEST_CLASS = 100


class LeftOut(StrEnum):
    """Why a row is no request, as its count says it."""

    NO_ANSWER = "requests without an answer (0 tokens) left out"
    FAILED = "requests that failed left out"


class Request(NamedTuple):
    """One request as its row tells it. `stamp` is a number in the file's unit, or seconds of a date.

    stamp None: it follows the turn before it in its session, `delay` (in the file's unit) after the answer.
    Labels are "" for none.
    """

    stamp: float | None
    delay: float
    prompt_tokens: int
    output_tokens: int
    session: str
    parent: str
    group: str
    cls: str


class RowReader:
    """Reads the rows of one file."""

    def __init__(self, fmt: Format, clock: Clock, rows: Rows) -> None:
        self._fmt = fmt
        self._clock = clock
        self._word = rows.word
        self._spelled = {name.lower(): name for name in rows.header}

    def read(self, row: Row) -> Request | LeftOut:
        """The row's request, or why it is none. Raises TraceError."""
        fmt, cells = self._fmt, row.cells
        output = self._checked(row, fmt.output, tokens)
        if output is None and fmt.is_log and log_columns.is_failure(cells):
            return LeftOut.FAILED
        prompt = self._checked(row, fmt.prompt, tokens)
        stamp = self._checked(row, fmt.stamp, self._clock.stamp)
        delay = self._checked(row, (fmt.delay,), number) if fmt.delay else None
        for found, columns in ((output, fmt.output), (prompt, fmt.prompt), (stamp, fmt.stamp)):
            if found is None and not (fmt.delay and columns is fmt.stamp):
                raise TraceError(f"{self._word} {row.number}: has no {columns[0]}")
        assert output is not None
        assert prompt is not None
        if output == 0 and fmt.zero_is_failed:
            return LeftOut.NO_ANSWER
        return Request(
            stamp,
            delay or 0.0,
            prompt,
            output,
            _first_label(row, fmt.session),
            label(cells.get(fmt.parent)) if fmt.parent else "",
            self._group(row) if fmt.group else "",
            _first_label(row, fmt.cls)[:_LONGEST_CLASS] or fmt.default_cls,
        )

    def _checked(self, row: Row, columns: Names, check: Callable[[object], T]) -> T | None:
        """The first of these cells that the row has; None where it has none of them, or JSON's null."""
        for column in columns:
            value = row.cells.get(column)
            if value is None or (value == "" and self._fmt.delay):
                continue
            try:
                return check(value)
            except CellError as error:
                raise self._wrong(row, column, value, error.allowed) from None
        return None

    def _group(self, row: Row) -> str:
        """The name of the prefix: the first of the blocks of which the prompt is made, or a label."""
        value = row.cells.get(self._fmt.group)
        if isinstance(value, list):
            return label(value[0]) if value else ""
        return label(value).strip("[] ").split(",")[0]

    def _wrong(self, row: Row, column: str, value: object, allowed: str) -> TraceError:
        name = self._spelled.get(column, column)
        return TraceError(f"{self._word} {row.number}, column {name} = {shown(value)}: {allowed}")


def _first_label(row: Row, columns: Names) -> str:
    for column in columns:
        if name := label(row.cells.get(column)):
            return name
    return ""
