"""What the race knows of a measured cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from experiments.design.cells import Cell
from experiments.stats.goodput import Trace
from experiments.twin.footprint import Footprint
from gateway.limits import Limits


def _all_kept(_limits: Limits) -> float:
    return 1.0


@dataclass(frozen=True, slots=True)
class JudgedStretch:
    """One measured cell, judged at the speed that the engine has in this run.

    Attributes:
        trace: its requests; those of other settings on the same load and block are the same arrivals.
        elasticity: by how many per cent its goodput falls when the engine is one per cent slower, ≥ 0.
        kept_under: of its goodput, the part that is left on an engine 5 % slower, under the limits of a
            setting that the run stands for: neither limit was touched, and the narrow one will be sooner.
        footprint: which other settings this run stands for; None where it is not known.
        usable: whether it may decide: not when the machine was disturbed, or the cell is invalid.
    """

    cell: Cell
    trace: Trace
    elasticity: float
    kept_under: Callable[[Limits], float] = _all_kept
    footprint: Footprint | None = None
    usable: bool = True

    def stands_for(self, cell: Cell) -> bool:
        """Whether `cell` would have been this very run: the same arrivals, under limits not touched."""
        mine, other = self.cell.setting, cell.setting
        if (self.cell.load, self.cell.block) != (cell.load, cell.block):
            return False
        if (mine.engine, mine.lanes) != (other.engine, other.lanes):
            return False
        return mine == other or (self.footprint is not None and self.footprint.same_under(other.limits))


class StretchMeasurer(Protocol):
    """Where stretches are measured: a live stack, or an engine in virtual time."""

    @property
    def spent_s(self) -> float:
        """Engine time so far, seconds."""

    def measure(self, cells: Sequence[Cell]) -> None:
        """Run the cells in this order; one that was run before replaces what it gave then."""

    def seen(self) -> Sequence[JudgedStretch]:
        """Every stretch so far, as it is judged by now: how fast the engine was in each is known the better
        the longer a run is."""
