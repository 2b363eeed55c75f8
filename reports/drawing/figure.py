"""A figure: panels in rows and columns, legends and words, and its SVG."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markupsafe import escape

from reports.drawing.ink import Ink, light
from reports.drawing.key import Key
from reports.drawing.panel import Panel
from reports.drawing.words import SIZE, Words

if TYPE_CHECKING:
    from reports.drawing.as_matplotlib import Picture

PAGE_IN = 14.0
"""The width of a figure that takes the whole page: texts are then as large as those beside it."""
WIDEST_LEFT = 0.7
"""Of a figure's width: what is written left of the panels may be longer than that, and is then cut."""
POINTS = 72.0


@dataclass(frozen=True, slots=True)
class Margins:
    """Around the panels, inches; `between` and `below`: columns and rows apart, in parts of a panel."""

    left: float = 0.6
    right: float = 0.15
    bottom: float = 0.5
    top: float = 0.35
    between: float = 0.3
    below: float = 0.35


@dataclass(slots=True, repr=False)
class Figure:
    """`panels` row by row; `keys`: samples in its legends, as elements for an ink."""

    width: float
    height: float
    panels: list[Panel] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)

    def __repr__(self) -> str:
        count = len(self.panels)
        return f"<Figure of {count} panel{'s' * (count != 1)}, {self.width:.0f} × {self.height:.0f} points>"

    def body(self, name: str, ink: Ink) -> str:
        """What is inside its `<svg>`; `name` is unique in the page."""
        parts = [panel.svg(f"{name}-{at}", ink) for at, panel in enumerate(self.panels)]
        parts += [key.mark.sample(key.x, key.y, key.length, ink) for key in self.keys]
        return "\n".join([*parts, *(words.svg(ink) for words in self.words)])

    def svg(self, alt: str = "") -> str:
        """As a document of its own, on white, in the light colours."""
        body = self.body("figure", light)
        body = self.body(f"f{zlib.crc32(body.encode()):x}", light)
        box = f'viewBox="0 0 {self.width:g} {self.height:g}"'
        size = f'width="{self.width:g}pt" height="{self.height:g}pt" {box}'
        ground = f'<rect width="100%" height="100%" fill="{light("surface")}"/>'
        named = f' role="img" aria-label="{escape(alt)}"' if alt else ""
        font = 'font-family="system-ui, sans-serif"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}{named}>{ground}{body}</svg>'

    def matplotlib(self) -> Picture:
        """As a `matplotlib.figure.Figure`, in the light colours, to change and to save: an axes for each
        panel, in their order, with the same numbers, ends and ticks."""
        # Half a second to import, and the report itself needs none of it.
        from reports.drawing.as_matplotlib import picture

        return picture((self.width, self.height), self.panels, self.words, self.keys)

    def _repr_svg_(self) -> str:
        """For a notebook."""
        return self.svg()


def panels(
    width_in: float, height_in: float, *, rows: int = 1, columns: int = 1, margins: Margins = Margins()
) -> Figure:
    """A figure with empty panels, all of one size."""
    width, height = POINTS * width_in, POINTS * height_in
    left = min(POINTS * margins.left, WIDEST_LEFT * width)
    across = width - left - POINTS * margins.right
    down = height - POINTS * (margins.top + margins.bottom)
    wide = across / (columns + margins.between * (columns - 1))
    high = down / (rows + margins.below * (rows - 1))
    figure = Figure(width, height)
    for row in range(rows):
        for column in range(columns):
            x = left + column * wide * (1 + margins.between)
            y = POINTS * margins.top + row * high * (1 + margins.below)
            figure.panels.append(Panel(x, y, wide, high))
    return figure


def message(text: str, width_in: float = 6.0) -> Figure:
    """A small figure that says why there is nothing to draw."""
    width, height = POINTS * width_in, POINTS * 0.7
    return Figure(width, height, words=[Words(text, 0.01 * width, height / 2, "muted", SIZE)])
