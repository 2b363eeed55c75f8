"""What tables are made of: a text, the exact number behind it, and what to stress."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from experiments.design.cell_purpose import CellPurpose
from loadtests.planning.rate import RECORDED
from reports import numbers
from reports.rows import CellRow, rows_of

# What else than setting and rate may tell cells apart.
TELLING = ("workload", "scenario", "block")


@dataclass(frozen=True, slots=True)
class Entry:
    """One table entry: what is read, the exact value (which sorting uses), a second line, a tone, a link.

    `tone` is one of good, warn, bad, quiet or nothing. `value` is None where there is no number.
    """

    text: str
    value: float | str | None = None
    small: str = ""
    tone: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column: its text, an explanation for those who ask, and whether it holds numbers."""

    text: str
    meaning: str = ""
    number: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `name` is unique in a page, "" where nobody points at it; `tones` has one per row, or none."""

    caption: str
    heads: list[Head]
    rows: list[list[Entry]]
    name: str = ""
    tones: list[str] = field(default_factory=list)


def words(text: str) -> Entry:
    """Plain text, sorted as it reads."""
    return Entry(text or numbers.DASH, text)


def seconds(value: float, low: float = math.nan, high: float = math.nan, why: str = "") -> Entry:
    """A span with its interval; `why` says why there is no value: `n too small: 20 of 59`."""
    if not numbers.missing(value):
        return Entry(
            numbers.seconds(value), value, numbers.between(low, high) or ("no interval" if why else "")
        )
    short, _, detail = why.partition(": ")
    return Entry(short or numbers.DASH, None, detail, "quiet")


def share(part: float, whole: float) -> Entry:
    """part / whole as a percentage; a dash when the whole is nothing or unknown."""
    ratio = part / whole if whole else math.nan
    return Entry(numbers.percent(ratio), None if numbers.missing(ratio) else ratio)


def setting(row: CellRow) -> Entry:
    """A cell's setting, linked to the cell."""
    name = row.setting or row.cell
    return Entry(name, name, link="#" + anchor(row.cell))


def asked_loads(cells: pd.DataFrame) -> dict[str, Entry]:
    """Cell → its asked rate; below it the multiple of the capacity, or of the recorded rate, and what else
    tells loads apart."""
    several = {column: cells[column].nunique() > 1 for column in TELLING}
    loads = {}
    for row in rows_of(cells, CellRow):
        parts = [*_telling(row, several), *_block(row, several)]
        of = RECORDED if row.scenario == RECORDED else "cap."
        parts += [] if numbers.missing(row.relative_load) else [f"{row.relative_load:.3g} × {of}"]
        parts += [] if row.purpose == CellPurpose.MATRIX else [row.purpose]
        loads[row.cell] = Entry(numbers.asked(row.rate_per_s), row.rate_per_s, " · ".join(parts))
    return loads


def _telling(row: CellRow, several: Mapping[str, bool]) -> list[str]:
    """Workload and scenario, where there are several of them."""
    names = (("workload", row.workload), ("scenario", row.scenario))
    return [value for column, value in names if several[column]]


def _block(row: CellRow, several: Mapping[str, bool]) -> list[str]:
    return [f"#{row.block:g}"] if several["block"] and not numbers.missing(row.block) else []


def anchor(cell: str) -> str:
    """The id of a cell's section: letters, digits and dashes only, different for each cell."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in cell)
    unlike = "" if plain == cell else f"-{zlib.crc32(cell.encode('utf-8', 'replace')):08x}"
    return f"cell-{plain}{unlike}"


def cell_names(cells: pd.DataFrame) -> dict[str, str]:
    """Cell → short name: setting and asked rate; the rest of `TELLING` only where it tells cells apart."""
    several = {column: cells[column].nunique() > 1 for column in TELLING}
    names = {}
    for row in rows_of(cells, CellRow):
        name = row.setting or row.cell
        kind = "sentinel" if row.sentinel else row.purpose
        name = name if kind == CellPurpose.MATRIX else f"{kind}: {name}"
        if row.setting and not numbers.missing(row.rate_per_s):
            name += f" @ {numbers.asked(row.rate_per_s)}"
        names[row.cell] = " ".join([name, *_telling(row, several), *_block(row, several)])
    return names


def from_frame(
    frame: pd.DataFrame, caption: str, heads: dict[str, str], spans: tuple[str, ...] = ()
) -> Table:
    """The data behind a figure: some columns of a frame under other heads; those in `spans` are seconds."""
    drawn = frame[list(heads)].itertuples(index=False, name=None)
    rows = [
        [_plain(value, column in spans) for column, value in zip(heads, row, strict=True)] for row in drawn
    ]
    texts = {column for column in heads if frame[column].map(lambda value: isinstance(value, str)).any()}
    return Table(caption, [Head(text, number=column not in texts) for column, text in heads.items()], rows)


def _plain(value: str | float, is_span: bool) -> Entry:
    if isinstance(value, str):
        return words(value)
    exact = float(value)
    return seconds(exact) if is_span else Entry(numbers.significant(exact), exact)
