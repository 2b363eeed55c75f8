"""A panel: a rectangle with two axes, and marks in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from reports.drawing import shapes
from reports.drawing.axis import Axis
from reports.drawing.ink import Ink
from reports.drawing.marks import NOWHERE, Line, Mark, reach
from reports.drawing.place import Place
from reports.drawing.words import SIZE, Anchor, Words, width

PAD = 3.5
TICK = SIZE - 1
LABEL = SIZE - 0.5
_LINE = 1.25
"""From one line of text to the next, in sizes."""


@dataclass(slots=True)
class Panel:
    """Its rectangle in points of the figure, y downwards. `words`: besides title, ticks and labels.
    `floor`: whether a line is drawn along its lower side."""

    left: float
    top: float
    width: float
    height: float
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    title: str = ""
    title_role: str = "ink"
    marks: list[Mark] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    floor: bool = True

    @property
    def lines(self) -> list[Line]:
        """The lines among the marks."""
        return [mark for mark in self.marks if isinstance(mark, Line)]

    @property
    def labelled(self) -> list[Mark]:
        """The marks that a legend names."""
        return [mark for mark in self.marks if mark.label]

    def add(self, *marks: Mark) -> None:
        """Draw these, too."""
        self.marks += marks

    @property
    def place(self) -> Place:
        """Where its numbers lie, as far as what it holds by now."""
        bounded = None not in (self.x.low, self.x.high, self.y.low, self.y.high)
        across, up = (NOWHERE, NOWHERE) if bounded else reach(self.marks)
        return Place(self.left, self.top, self.width, self.height, self.x.scale(across), self.y.scale(up))

    def write(self, text: str, x: float, y: float, *, role: str = "ink", size: float = SIZE, mark: str = "",
              anchor: Anchor = Anchor.MIDDLE) -> None:  # fmt: skip
        """A text at (x, y) of the axes, whose ends must be set before."""
        place = self.place
        at = float(place.x(x)), float(place.y(y))
        self.words.append(Words(text, *at, role, size, anchor, mark=mark, point=(x, y)))

    def svg(self, name: str, ink: Ink) -> str:
        """As elements; `name` is unique in the page."""
        place = self.place
        marks = sorted(self.marks, key=lambda mark: mark.order)
        behind = "".join(mark.svg(place, ink) for mark in marks if mark.order <= 0)
        before = "".join(mark.svg(place, ink) for mark in marks if mark.order > 0)
        bounds = f'x="{self.left:.1f}" y="{self.top:.1f}" width="{self.width:.1f}" height="{self.height:.1f}"'
        clip = f'<clipPath id="{name}"><rect {bounds}/></clipPath>'
        inside = f'<g clip-path="url(#{name})">{behind}{self._grid(place, ink)}{before}</g>'
        return clip + inside + "".join(words.svg(ink) for words in [*self._around(place), *self.words])

    def _grid(self, place: Place, ink: Ink) -> str:
        right, bottom = self.left + self.width, self.top + self.height
        lines = ""
        if self.x.grid:
            lines += "".join(
                f"M{x:.1f} {self.top:.1f}L{x:.1f} {bottom:.1f}"
                for x in place.x([at for at, _ in self.x.written_at(place.across)]).tolist()
            )
        if self.y.grid:
            lines += "".join(
                f"M{self.left:.1f} {y:.1f}L{right:.1f} {y:.1f}"
                for y in place.y([at for at, _ in self.y.written_at(place.up)]).tolist()
            )
        floor = f"M{self.left:.1f} {bottom:.1f}L{right:.1f} {bottom:.1f}" if self.floor else ""
        return shapes.path(lines, stroke=ink("grid"), width=0.7) + shapes.path(
            floor, stroke=ink("grid"), width=1.6
        )

    def _around(self, place: Place) -> list[Words]:
        found = [
            Words(self.title, self.left, self.top - 6 - 0.35 * SIZE, self.title_role, SIZE, bold=True)
        ] * bool(self.title)
        return [*found, *self._along_x(place), *self._along_y(place)]

    def _along_x(self, place: Place) -> list[Words]:
        y, axis = self.top + self.height + PAD + 0.5 * TICK, self.x
        found = [
            Words(name, float(place.x(at)), y, axis.role, TICK, Anchor.MIDDLE)
            for at, name in (axis.written_at(place.across) if axis.written else [])
        ]
        below = y + _LINE * LABEL if axis.written else y
        middle = self.left + self.width / 2
        return found + [Words(axis.label, middle, below + 2, "muted", LABEL, Anchor.MIDDLE)] * bool(
            axis.label
        )

    def _along_y(self, place: Place) -> list[Words]:
        axis, x = self.y, self.left - PAD
        written = axis.written_at(place.up) if axis.written else []
        found = [Words(name, x, float(place.y(at)), axis.role, TICK, Anchor.END) for at, name in written]
        beside = x - max([0.0, *(width(name, TICK) for _, name in written)]) - 4
        middle = self.top + self.height / 2
        label = Words(axis.label, beside, middle, "muted", LABEL, Anchor.MIDDLE, upright=True)
        return found + [label] * bool(axis.label)
