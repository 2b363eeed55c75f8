"""A file becomes a trace: rows, unit, ticks, sessions, order; and notes of what was done on the way."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from loadtests.planning.mix import Floats
from loadtests.planning.trace_files import sessions, source, ticks, units
from loadtests.planning.trace_files.clock import A_DATE, Clock
from loadtests.planning.trace_files.columns import RequestColumns
from loadtests.planning.trace_files.formats import READ, Format, recognise
from loadtests.planning.trace_files.requests import LeftOut, RowReader
from loadtests.planning.trace_files.rows import Rows, rows_of
from loadtests.planning.trace_files.trace import Trace, TraceError
from loadtests.planning.trace_files.units import TraceUnit
from loadtests.planning.workloads import Counts

_LOOKED_AT = 1000
"""Rows of JSON whose keys together are the columns by which the format is recognised."""
_MOST_NAMES = 1000


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A file's rows, checked one by one."""

    fmt: Format
    names: frozenset[str]
    clock: Clock
    columns: RequestColumns
    word: str


def read(path: Path, unit: TraceUnit = TraceUnit.AUTO, seed: int = 1) -> Trace:
    """Read a trace file of any format of `formats.FORMATS`.

    Args:
        path: CSV or JSON, plain or gzip.
        unit: of stamps that are numbers, where the file does not tell.
        seed: ≥ 0, of the places inside a tick of stamps that were rounded.

    Raises:
        TraceError: one sentence with the file, the line, and what was expected.
    """
    try:
        if seed < 0:
            raise TraceError(f"seed = {seed}: must be an integer >= 0")
        with source.text_of(path) as text:
            names = _names(rows_of(text))
            text.seek(0)
            parsed = _parse(names, rows_of(text))
        return _trace(path.name.encode(errors="replace").decode(), parsed, unit, seed)
    except TraceError as error:
        raise TraceError(f"trace {path}: {error}") from None


def _names(rows: Rows) -> tuple[str, ...]:
    """The columns, in lower case and in order of appearance."""
    names = dict.fromkeys(name.lower() for name in rows.header)
    for row in islice(rows.rows, 0 if names else _LOOKED_AT):
        names.update(dict.fromkeys(islice(row.cells, _MOST_NAMES)))
    return tuple(islice(names, _MOST_NAMES))


def _parse(names: tuple[str, ...], rows: Rows) -> _Parsed:
    fmt, clock, columns = recognise(names), Clock(), RequestColumns()
    reader = RowReader(fmt, clock, rows)
    for row in rows.rows:
        request = reader.read(row)
        if isinstance(request, LeftOut):
            columns.counted[request] += 1
        else:
            columns.add(row.number, request)
    if not len(columns):
        left_out = ", ".join(f"{count} {what}" for what, count in columns.counted.items())
        raise TraceError(f"has no requests{f' ({left_out})' if left_out else ''}")
    return _Parsed(fmt, frozenset(names), clock, columns, rows.word)


def _trace(name: str, parsed: _Parsed, unit: TraceUnit, seed: int) -> Trace:
    fmt, columns = parsed.fmt, parsed.columns
    session = _session(parsed)
    arrival_s, notes = _arrivals(parsed, session, unit, seed)
    notes += [f"{count} {what}" for what, count in columns.counted.items()]
    new_words_only = fmt.new_words_only and fmt.group not in parsed.names and _has_turns(session)
    if new_words_only:
        notes.append("prompt lengths are those of a turn alone: its session's history is added when played")
    order = np.argsort(arrival_s, kind="stable")
    if (np.diff(order) < 0).any() and not np.isnan(columns.stamps).any():
        notes.append("rows were not in order of time: sorted")
    classes = list(columns.classes.numbers)
    return Trace(
        name,
        arrival_s[order] - arrival_s.min(),
        np.array(columns.prompts, dtype=np.int64)[order],
        np.array(columns.outputs, dtype=np.int64)[order],
        _renumbered(session[order]),
        _renumbered(np.array(columns.groups.column, dtype=np.int64)[order]),
        tuple(classes[k] for k in np.array(columns.classes.column, dtype=np.int64)[order].tolist()),
        tuple(notes),
        fmt.name,
        new_words_only,
    )


def _session(parsed: _Parsed) -> Counts:
    """The session (n,) of each request, -1 for none; chains of requests are one."""
    columns = parsed.columns
    session = np.array(columns.sessions.column, dtype=np.int64)
    if not parsed.fmt.parent or not columns.sessions.numbers:
        return session
    roots = sessions.roots(columns.sessions.numbers, columns.parents)
    return np.where(session >= 0, roots[session], -1)


def _arrivals(parsed: _Parsed, session: Counts, unit: TraceUnit, seed: int) -> tuple[Floats, list[str]]:
    """Arrivals (n,) in seconds, from anywhere, in the order of the file, and notes."""
    fmt, clock, columns = parsed.fmt, parsed.clock, parsed.columns
    stamps = np.array(columns.stamps)
    if np.isnan(stamps).all():
        raise TraceError(f"has no arrival times; {READ}")
    if fmt.only_dates and not clock.dates and unit is TraceUnit.AUTO and units.since_1970(stamps) is None:
        place = f"{parsed.word} {columns.rows[0]}, column {fmt.stamp[0]} = {stamps[0]:g}"
        raise TraceError(f"{place}: must be {A_DATE}; or say what it counts with --trace-unit")
    known = None if fmt.whole_stamps and clock.fraction else fmt.unit
    stamps_s, unit_s, notes = units.seconds_of(stamps, clock, unit, known, fmt.unit_why)
    if fmt.is_log:
        notes.append(f"arrivals are {next(name for name in fmt.stamp if name in parsed.names)}")
    whole_minutes = bool(clock.dates) and clock.whole_minutes
    stamps_s, spread = ticks.spread(stamps_s, unit_s, seed, whole_minutes=whole_minutes)
    delay_s = np.array(columns.delays) * (1e-3 if unit is TraceUnit.AUTO else unit_s)
    arrival_s, wrong = sessions.followed(stamps_s, delay_s, session)
    if wrong >= 0:
        place = f"{parsed.word} {columns.rows[wrong]}"
        raise TraceError(f"{place}: has no {fmt.stamp[0]}, and no turn of its session comes before it")
    if after := int(np.isnan(stamps).sum()):
        notes.append(
            f"{after} of {len(stamps)} requests come a delay after the answer before them: the file does not "
            "tell how long answers took, here 0 s"
        )
    return arrival_s, notes + spread


def _has_turns(session: Counts) -> bool:
    named = session[session >= 0]
    return len(np.unique(named)) < len(named)


def _renumbered(numbers: Counts) -> Counts:
    """The same groups, numbered from 0 in order of appearance; -1 stays."""
    names, first, place = np.unique(numbers, return_index=True, return_inverse=True)
    rank = np.empty(len(names), dtype=np.int64)
    named = np.flatnonzero(names >= 0)
    rank[names < 0] = -1
    rank[named[np.argsort(first[named])]] = np.arange(len(named))
    return rank[place]
