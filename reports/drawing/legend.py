"""Legends: samples of marks with their names, along an edge of the figure or inside or beside a panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.drawing.figure import Figure
from reports.drawing.key import Key
from reports.drawing.marks import Mark
from reports.drawing.panel import Panel
from reports.drawing.words import SIZE, Words, width

_ROW = 13.5
_GAP = 5.0
_APART = 16.0


def legend_above(figure: Figure, named: Mapping[str, Mark]) -> None:
    """Along the upper edge, as many in a row as fit."""
    for row, entries in enumerate(_rows(named, figure.width - 12, SIZE - 1.1, 12.0)):
        _row(figure, entries, 6.0, 9.0 + _ROW * row, SIZE - 1.1, 12.0)


def legend_below(figure: Figure, named: Mapping[str, Mark], left: float) -> None:
    """Along the lower edge, from `left` on."""
    rows = _rows(named, figure.width - left, SIZE - 0.6, 20.0)
    for row, entries in enumerate(reversed(rows)):
        _row(figure, entries, left, figure.height - 9.0 - _ROW * row, SIZE - 0.6, 20.0)


def legend_inside(figure: Figure, panel: Panel) -> None:
    """In the lower left corner of a panel, one below the other."""
    for at, mark in enumerate(reversed(panel.labelled)):
        y = panel.top + panel.height - 9.0 - _ROW * at
        _row(figure, {mark.label: mark}, panel.left + 8, y, SIZE - 1.2, 18.0)


def legend_right(figure: Figure, panel: Panel) -> None:
    """Beside a panel, middle on middle."""
    marks = panel.labelled
    for at, mark in enumerate(marks):
        y = panel.top + panel.height / 2 - 14.0 * ((len(marks) - 1) / 2 - at)
        _row(figure, {mark.label: mark}, panel.left + panel.width + 6, y, SIZE - 1.2, 18.0)


def named(panels: Sequence[Panel]) -> dict[str, Mark]:
    """The labelled marks of all of them, each name once."""
    found: dict[str, Mark] = {}
    for panel in panels:
        for mark in panel.labelled:
            found.setdefault(mark.label, mark)
    return found


def _rows(named: Mapping[str, Mark], room: float, size: float, sample: float) -> list[dict[str, Mark]]:
    """As many rows as they need."""
    rows: list[dict[str, Mark]] = [{}]
    used = 0.0
    for name, mark in named.items():
        length = sample + _GAP + width(name, size) + _APART
        if rows[-1] and used + length > room:
            rows.append({})
            used = 0.0
        rows[-1][name] = mark
        used += length
    return rows


def _row(figure: Figure, named: Mapping[str, Mark], x: float, y: float, size: float, sample: float) -> None:
    for name, mark in named.items():
        figure.keys.append(Key(mark, x, y, sample))
        figure.words.append(Words(name, x + sample + _GAP, y, "ink", size))
        x += sample + _GAP + width(name, size) + _APART
