"""Where a panel lies in its figure: its axes' numbers as points of the figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt

from reports.drawing.scale import Floats, Scale


@dataclass(frozen=True, slots=True)
class Place:
    """A panel's rectangle, y downwards, and the scales of its axes."""

    left: float
    top: float
    width: float
    height: float
    across: Scale
    up: Scale

    def x(self, values: npt.ArrayLike) -> Floats:
        """Points from the figure's left edge."""
        return self.left + self.width * self.across.share(values)

    def y(self, values: npt.ArrayLike) -> Floats:
        """Points from the figure's upper edge."""
        return self.top + self.height * (1.0 - self.up.share(values))
