"""How fast the engine was in a cell, against what it was over the cells of its run."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

from experiments.run_folder.measured_cell import MeasuredCell

MOST_ADJUSTED = 1.1
"""An index further off is no change of speed that judging by it could mend."""


def usual_speed(cells: Sequence[MeasuredCell]) -> float:
    """The median index of the valid cells; 1 where none is known."""
    valid = [cell for cell in cells if not cell.invalid_codes]
    known = [found for cell in valid if (found := _index(cell)) is not None]
    return float(median(known)) if known else 1.0


def relative_speed(cell: MeasuredCell, usual: float) -> float:
    """How many times as long as usual the engine's steps took in the cell, 1 ± 10 %; 1 where that is not
    known."""
    found = _index(cell)
    return 1.0 if found is None else float(np.clip(found / usual, 1 / MOST_ADJUSTED, MOST_ADJUSTED))


def _index(cell: MeasuredCell) -> float | None:
    return cell.summary.speed.index if cell.summary.speed is not None else None
