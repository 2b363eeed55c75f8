"""The load at which a setting has to meet the objective."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.run_folder.measured_cell import MeasuredCell


def nominal_load(cells: Mapping[str, MeasuredCell]) -> str:
    """The largest load that is not above capacity; without one, the smallest. `cells`: load → one of it."""
    below = [load for load, cell in cells.items() if (cell.relative_load or 0.0) <= 1.0]
    if below:
        return max(below, key=lambda load: cells[load].rate_per_s)
    return min(cells, key=lambda load: cells[load].rate_per_s)
