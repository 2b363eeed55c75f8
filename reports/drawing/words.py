"""Text in a figure, and about how long it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from markupsafe import escape

from reports.drawing.ink import Ink

SIZE = 9.5
"""Of a title and of what stands in a box; ticks and labels are a little smaller."""
_WIDTH = 0.56
"""Of a letter, in parts of its height, on average over the fonts of the page."""


class Anchor(StrEnum):
    """Which end of a text stands at its place, as SVG calls it."""

    START = "start"
    MIDDLE = "middle"
    END = "end"


@dataclass(frozen=True, slots=True)
class Words:
    """A text at (x, y) of the figure, y at the middle of its letters. `mark`: a script finds it by this.
    `point`: where that is in the numbers of its panel's axes; None: wherever they end, it stands there."""

    text: str
    x: float
    y: float
    role: str = "ink"
    size: float = SIZE
    anchor: Anchor = Anchor.START
    bold: bool = False
    upright: bool = False
    mark: str = ""
    point: tuple[float, float] | None = None

    def svg(self, ink: Ink) -> str:
        """As an element."""
        # Letters without descenders are about 0.7 of the size high.
        base = self.y if self.upright else self.y + 0.35 * self.size
        turned = f' transform="rotate(-90 {self.x:.1f} {base:.1f})"' if self.upright else ""
        style = f"fill:{ink(self.role)};font-size:{self.size:g}px" + (";font-weight:700" * self.bold)
        anchor = "" if self.anchor is Anchor.START else f' text-anchor="{self.anchor}"'
        at = f'x="{self.x:.1f}" y="{base:.1f}"{turned}{anchor}'
        text = f'<text {at} style="{style}">{escape(printable(self.text))}</text>'
        return f'<g data-mark="{self.mark}">{text}</g>' if self.mark else text


def width(text: str, size: float = SIZE) -> float:
    """About how long a text is."""
    return _WIDTH * size * len(text)


def printable(text: str) -> str:
    """Without what no document may hold."""
    return "".join(one if one.isprintable() else " " for one in text)
