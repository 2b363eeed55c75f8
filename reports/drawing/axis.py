"""One axis of a panel: what it spans, and what is written along it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.drawing.scale import Scale, Show, plain

_MARGIN = 0.05
"""Left free beside what is drawn, on either side, in parts of its extent."""


@dataclass(slots=True)
class Axis:
    """What is None is settled by what is drawn.

    Attributes:
        low, high: the ends; `low` may be the larger one.
        ticks: where something is written; None: at round values, `most` steps at the most.
        names: what is written at `ticks`; None: what `show` makes of them.
        grid: whether faint lines lead from the ticks through the panel.
        role: colour of what is written at the ticks.
        written: whether anything is; False: only the grid.
    """

    low: float | None = None
    high: float | None = None
    logarithmic: bool = False
    label: str = ""
    ticks: Sequence[float] | None = None
    names: Sequence[str] | None = None
    show: Show = plain
    most: int = 6
    grid: bool = True
    role: str = "muted"
    written: bool = True

    def span(self, low: float | None, high: float | None) -> None:
        """Set the ends; None leaves one to what is drawn."""
        self.low, self.high = low, high

    def scale(self, drawn: tuple[float, float]) -> Scale:
        """The scale, for what is drawn from `drawn[0]` to `drawn[1]` (inf and -inf: nothing is)."""
        low, high = drawn if math.isfinite(drawn[0]) else (0.0, 1.0)
        if self.logarithmic:
            low, high = (low, high) if low > 0 else (high / 1000 or 1e-3, high or 1.0)
            room = (high / low) ** _MARGIN
            low, high = low / room, high * room
        else:
            room = _MARGIN * (high - low)
            low, high = low - room, high + room
        low = low if self.low is None else self.low
        high = high if self.high is None else self.high
        if low == high:
            low, high = (low / 2, high * 2) if self.logarithmic else (low - 0.5, high + 0.5)
        return Scale(low, high, self.logarithmic)

    def written_at(self, scale: Scale) -> list[tuple[float, str]]:
        """Where something is written, and what."""
        at = scale.ticks(self.most) if self.ticks is None else list(self.ticks)
        names = [self.show(value) for value in at] if self.names is None else list(self.names)
        inside = np.abs(scale.share(at) - 0.5) <= 0.5 + 1e-6
        return [(value, name) for value, name, one in zip(at, names, inside, strict=True) if one]
