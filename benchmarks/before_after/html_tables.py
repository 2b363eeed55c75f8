"""The tables and lists of facts of a report as leaves: by section, caption, row and column."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser

from benchmarks.before_after.leaves import Leaves, as_number, of_rows

_VOID = frozenset(("meta", "link", "br", "hr", "img", "input", "col", "wbr"))
_NUMBERS = "n"
"""The class of a column's head where the column holds numbers."""


def of_page(html: str, path: str) -> Leaves:
    """Every cell of every table (what is read, and the exact value behind it), every pair of a list of facts,
    and every other element with an exact value.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    leaves: Leaves = {}
    seen: Counter[str] = Counter()
    for table in reader.tables:
        seen[table.name] += 1
        place = table.name if seen[table.name] == 1 else f"{table.name} #{seen[table.name]}"
        leaves |= of_rows((table.row(cells) for cells in table.rows), f"{path}:{place}")
    return leaves | {f"{path}:{place}": as_number(value) for place, value in reader.values.items()}


@dataclass(slots=True)
class _Cell:
    text: str = ""
    value: str | None = None
    is_number: bool = False


@dataclass(slots=True)
class _Table:
    """`place` is the id of the section that it stands in."""

    place: str
    caption: str = ""
    heads: list[_Cell] = field(default_factory=list)
    rows: list[list[_Cell]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.place}/{self.caption}"

    def row(self, cells: list[_Cell]) -> tuple[list[str], Leaves]:
        """What names a row, its columns before the first with numbers, and all its cells by column."""
        words = next((k for k, head in enumerate(self.heads) if head.is_number), 1) or 1
        leaves: Leaves = {}
        for k, cell in enumerate(cells):
            column = " ".join(self.heads[k].text.split()) if k < len(self.heads) else f"column {k + 1}"
            leaves[column] = " ".join(cell.text.split())
            if cell.value is not None:
                leaves[f"{column} (exact)"] = as_number(cell.value)
        return [" ".join(cell.text.split()) for cell in cells[:words]], leaves


class _Reader(HTMLParser):
    """Collects tables, lists of facts (as tables of two columns) and exact values outside of both."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[_Table] = []
        self.values: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self._table: _Table | None = None
        self._cell: _Cell | None = None
        self._in_caption = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._open.append((tag, "" if tag == "table" else given.get("id", "")))
        match tag:
            case "table" | "dl":
                self._table = _Table(next((name for _, name in reversed(self._open) if name), ""))
                self.tables.append(self._table)
            case "small" if self._cell is not None:
                self._cell.text += " "  # a line of its own, when it is read
            case "caption":
                self._in_caption = True
            case "tr" if self._table is not None and not self._inside("thead"):
                self._table.rows.append([])
            case "th" | "td" | "dt" | "dd" if self._table is not None:
                self._begin_cell(tag, given)
            case _ if "data-v" in given and self._table is None:
                self.values[given.get("id") or f"value {len(self.values) + 1}"] = given["data-v"]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass
        match tag:
            case "table" | "dl":
                self._table = None
            case "caption":
                self._in_caption = False
            case "th" | "td" | "dt" | "dd":
                self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.text += data
        elif self._in_caption and self._table is not None:
            self._table.caption += data.strip()

    def _inside(self, tag: str) -> bool:
        return any(opened == tag for opened, _ in self._open)

    def _begin_cell(self, tag: str, given: dict[str, str]) -> None:
        assert self._table is not None
        self._cell = _Cell(value=given.get("data-v"), is_number=_NUMBERS in given.get("class", "").split())
        if self._inside("thead"):
            self._table.heads.append(self._cell)
            return
        if tag == "dt":
            self._table.rows.append([])
        if not self._table.rows:
            self._table.rows.append([])
        self._table.rows[-1].append(self._cell)
