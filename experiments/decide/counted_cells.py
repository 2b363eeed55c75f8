"""Which of a run's cells count in its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.run_folder.doubt import DoubtCode
from experiments.run_folder.measured_cell import MeasuredCell


@dataclass(frozen=True, slots=True)
class CountedCells:
    """`cells` count, in the order of the run; `late` are those among them whose load generator was late."""

    cells: tuple[MeasuredCell, ...]
    late: tuple[MeasuredCell, ...]


def counted(finished: Sequence[MeasuredCell]) -> CountedCells:
    """The valid cells, and of a setting that has none at a load those whose only fault is a late generator.

    Latency counts from the due time, so a late generator understates goodput: a setting that is chosen all
    the same is no worse than it seems, and one left out because of some milliseconds may be the best.
    """
    valid = {(cell.setting, cell.load) for cell in finished if cell.of_matrix and not cell.invalid_codes}
    late = tuple(
        cell
        for cell in finished
        if cell.of_matrix
        and cell.invalid_codes == {DoubtCode.CLIENT_SATURATED}
        and (cell.setting, cell.load) not in valid
    )
    ids = {cell.id for cell in late}
    return CountedCells(tuple(c for c in finished if not c.invalid_codes or c.id in ids), late)
