"""What can be drawn in a panel, in the numbers of its axes.

Each mark says how far it reaches (`extent`), so that an axis without ends can hold it, writes itself
(`svg`), and, where it has a `label`, draws a `sample` of itself for a legend.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from reports.drawing import shapes
from reports.drawing.ink import Ink
from reports.drawing.place import Place
from reports.drawing.scale import Floats

NOTHING: Floats = np.empty(0)
NOWHERE = (np.inf, -np.inf)
"""The ends of nothing."""
SOLID, DASHED, DASH_DOTTED, DOTTED = (), (3.7, 1.6), (6.4, 1.6, 1.0, 1.6), (1.0, 1.65)
"""Dashes and gaps, in widths of their line."""
Dash = tuple[float, ...]


class Mark(Protocol):
    """See the module. `order`: what is larger lies above."""

    @property
    def order(self) -> float: ...

    @property
    def label(self) -> str: ...

    def extent(self) -> tuple[Floats, Floats]:
        """Every x and every y that an axis should hold."""

    def svg(self, to: Place, ink: Ink) -> str:
        """As elements."""

    def sample(self, x: float, y: float, length: float, ink: Ink) -> str:
        """For a legend: `length` long, from x on, around y; points of the figure."""


@dataclass(frozen=True, slots=True)
class Line:
    """Points joined by a line, which has a hole where one is nan; markers on them. `width` 0: markers alone.
    `steps`: from each point level to the next."""

    x: npt.ArrayLike
    y: npt.ArrayLike
    role: str
    width: float = 1.3
    dash: Dash = SOLID
    marker: str = ""
    size: float = 4.5
    filled: bool = True
    steps: bool = False
    label: str = ""
    order: float = 2.0

    def extent(self) -> tuple[Floats, Floats]:
        return np.asarray(self.x, float), np.asarray(self.y, float)

    def svg(self, to: Place, ink: Ink) -> str:
        x, y = to.x(self.x), to.y(self.y)
        line = shapes.polyline(*(shapes.stairs(x, y) if self.steps else (x, y))) if self.width else ""
        return self._drawn(line, shapes.markers(self.marker, x, y, self.size), ink)

    def sample(self, x: float, y: float, length: float, ink: Ink) -> str:
        ends = np.array([x, x + length])
        middle = shapes.markers(self.marker, np.array([x + length / 2]), np.array([y]), self.size)
        return self._drawn(shapes.polyline(ends, np.array([y, y])) if self.width else "", middle, ink)

    def _drawn(self, line: str, markers: str, ink: Ink) -> str:
        colour = ink(self.role)
        drawn = shapes.path(line, stroke=colour, width=self.width, dash=self.dash)
        if self.marker in shapes.OPEN:
            return drawn + shapes.path(markers, stroke=colour, width=2.0)
        fill = colour if self.filled else ink("surface")
        return drawn + shapes.path(markers, fill=fill, stroke="" if self.filled else colour, width=1.0)


@dataclass(frozen=True, slots=True)
class Segments:
    """Straight pieces from (x, y) to (to_x, to_y); one that has an end at nan is left out."""

    x: npt.ArrayLike
    y: npt.ArrayLike
    to_x: npt.ArrayLike
    to_y: npt.ArrayLike
    role: str
    width: float = 1.2
    opacity: float = 1.0
    label: str = ""
    order: float = 2.0

    def extent(self) -> tuple[Floats, Floats]:
        x = np.concatenate([np.ravel(np.asarray(one, float)) for one in (self.x, self.to_x)])
        y = np.concatenate([np.ravel(np.asarray(one, float)) for one in (self.y, self.to_y)])
        return x, y

    def svg(self, to: Place, ink: Ink) -> str:
        ends = np.broadcast_arrays(to.x(self.x), to.y(self.y), to.x(self.to_x), to.y(self.to_y))
        pieces = shapes.pieces(*(np.ravel(one) for one in ends))
        return shapes.path(pieces, stroke=ink(self.role), width=self.width, opacity=self.opacity)

    def sample(self, x: float, y: float, length: float, ink: Ink) -> str:
        return shapes.path(
            shapes.polyline(np.array([x, x + length]), np.array([y, y])),
            stroke=ink(self.role),
            width=self.width,
        )


@dataclass(frozen=True, slots=True)
class Bars:
    """Lying bars, `thick` high around y, from `left` to `left + length`."""

    y: npt.ArrayLike
    left: npt.ArrayLike
    length: npt.ArrayLike
    role: str
    edge: str = "surface"
    edge_width: float = 0.6
    thick: float = 0.68
    label: str = ""
    order: float = 1.5

    def extent(self) -> tuple[Floats, Floats]:
        left, y = np.asarray(self.left, float), np.asarray(self.y, float)
        x = np.concatenate([np.ravel(left), np.ravel(left + np.asarray(self.length, float))])
        return x, np.concatenate([np.ravel(y) - self.thick / 2, np.ravel(y) + self.thick / 2])

    def svg(self, to: Place, ink: Ink) -> str:
        left, length, y = (np.atleast_1d(np.asarray(one, float)) for one in (self.left, self.length, self.y))
        shown = np.broadcast_to(length > 0, y.shape)
        ends = np.broadcast_arrays(
            to.x(left), to.y(y - self.thick / 2), to.x(left + length), to.y(y + self.thick / 2)
        )
        boxes = shapes.boxes(*(one[shown] for one in ends))
        return shapes.path(boxes, fill=ink(self.role), stroke=ink(self.edge), width=self.edge_width)

    def sample(self, x: float, y: float, length: float, ink: Ink) -> str:
        return _swatch(x, y, length, ink(self.role))


@dataclass(frozen=True, slots=True)
class Area:
    """What lies between two lines over the same x."""

    x: npt.ArrayLike
    low: npt.ArrayLike
    high: npt.ArrayLike
    role: str
    label: str = ""
    order: float = 0.0

    def extent(self) -> tuple[Floats, Floats]:
        return np.asarray(self.x, float), np.concatenate(
            [np.asarray(one, float) for one in (self.low, self.high)]
        )

    def svg(self, to: Place, ink: Ink) -> str:
        x = to.x(self.x)
        outline = np.concatenate([x, x[::-1]]), np.concatenate([to.y(self.high), to.y(self.low)[::-1]])
        return shapes.path(shapes.polyline(*outline) + "Z", fill=ink(self.role))

    def sample(self, x: float, y: float, length: float, ink: Ink) -> str:
        return _swatch(x, y, length, ink(self.role))


@dataclass(frozen=True, slots=True)
class Span:
    """The whole panel from one x to another, or a line through it where both are one; `lying`: along y. No
    axis grows for a band; for a line it does."""

    low: float
    high: float
    role: str
    width: float = 0.0
    dash: Dash = SOLID
    opacity: float = 1.0
    lying: bool = False
    label: str = ""
    order: float = 0.0

    def extent(self) -> tuple[Floats, Floats]:
        reach = np.array([self.low]) if self.low == self.high else NOTHING
        return (NOTHING, reach) if self.lying else (reach, NOTHING)

    def svg(self, to: Place, ink: Ink) -> str:
        if self.lying:
            low, high = to.y([self.low, self.high])
            left, right, top, bottom = to.left, to.left + to.width, high, low
        else:
            left, right = to.x([self.low, self.high])
            top, bottom = to.top, to.top + to.height
        if self.low == self.high:
            line = shapes.polyline(np.array([left, right]), np.array([top, bottom]))
            return shapes.path(
                line, stroke=ink(self.role), width=self.width, dash=self.dash, opacity=self.opacity
            )
        box = shapes.boxes(*(np.array([one]) for one in (left, top, right, bottom)))
        return shapes.path(box, fill=ink(self.role), opacity=self.opacity)

    def sample(self, x: float, y: float, length: float, ink: Ink) -> str:
        line = shapes.polyline(np.array([x, x + length]), np.array([y, y]))
        return shapes.path(line, stroke=ink(self.role), width=self.width, dash=self.dash)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle from (left, low) to (right, high); no `fill`: only its edge. `mark`: as of `Words`."""

    left: float
    low: float
    right: float
    high: float
    edge: str
    width: float
    fill: str = ""
    mark: str = ""
    label: str = field(default="", init=False)
    order: float = 1.0

    def extent(self) -> tuple[Floats, Floats]:
        return np.array([self.left, self.right]), np.array([self.low, self.high])

    def svg(self, to: Place, ink: Ink) -> str:
        (left, right), (low, high) = to.x([self.left, self.right]), to.y([self.low, self.high])
        box = shapes.boxes(*(np.array([one]) for one in (left, min(low, high), right, max(low, high))))
        fill = ink(self.fill) if self.fill else ""
        return _marked(shapes.path(box, fill=fill, stroke=ink(self.edge), width=self.width), self.mark)

    def sample(self, x: float, y: float, length: float, ink: Ink) -> str:
        return _swatch(x, y, length, ink(self.fill or self.edge))


@dataclass(frozen=True, slots=True)
class Hatch:
    """A corner of hatching: the triangle below and right of the line from (left, low) to (right, high)."""

    left: float
    low: float
    right: float
    high: float
    mark: str = ""
    label: str = field(default="", init=False)
    order: float = 3.0

    def extent(self) -> tuple[Floats, Floats]:
        return np.array([self.left, self.right]), np.array([self.low, self.high])

    def svg(self, to: Place, ink: Ink) -> str:
        (left, right), (low, high) = to.x([self.left, self.right]), to.y([self.low, self.high])
        strokes = shapes.hatching(left, right, min(low, high), max(low, high))
        return _marked(shapes.path(strokes, stroke=ink("ink"), width=0.9), self.mark)

    def sample(self, x: float, y: float, length: float, ink: Ink) -> str:
        return _swatch(x, y, length, ink("ink"))


def reach(marks: Iterable[Mark]) -> tuple[tuple[float, float], tuple[float, float]]:
    """The ends of x and of y over all of them; inf and -inf where there is nothing."""
    extents = [mark.extent() for mark in marks]
    return _ends(x for x, _ in extents), _ends(y for _, y in extents)


def _ends(parts: Iterable[Floats]) -> tuple[float, float]:
    every = np.concatenate([NOTHING, *(np.ravel(part) for part in parts)])
    every = every[np.isfinite(every)]
    return (float(every.min()), float(every.max())) if len(every) else NOWHERE


def _swatch(x: float, y: float, length: float, colour: str) -> str:
    box = shapes.boxes(*(np.array([one]) for one in (x, y - 3.2, x + length, y + 3.2)))
    return shapes.path(box, fill=colour)


def _marked(drawn: str, mark: str) -> str:
    return f'<g data-mark="{mark}">{drawn}</g>' if mark else drawn
