"""The sample of a mark in a legend."""

from __future__ import annotations

from dataclasses import dataclass

from reports.drawing.marks import Mark


@dataclass(frozen=True, slots=True)
class Key:
    """`length` long from (x, y) of the figure on, y in its middle."""

    mark: Mark
    x: float
    y: float
    length: float
