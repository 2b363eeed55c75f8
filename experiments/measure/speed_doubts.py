"""How fast the engine was in each cell of a run, and the doubt about those in which something slowed it down.

Cells are held against each other, so this can only be said once several are there. A cell that was disturbed
must not decide: what its requests met was not the setting.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments.measure.cell_steps import cell_steps
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.folder import RunDir
from experiments.run_folder.measured_cell import finished_cells
from experiments.speed.judge import CellSpeed, RunSpeed, judge

DRIFTED = 0.05
"""A change of the engine's speed over the run from which on it is told."""
CAUSES = (
    *(DoubtCode.OTHERS_BUSY, DoubtCode.CPU_THROTTLED, DoubtCode.SWAPPING, DoubtCode.CPU_STOLEN),
    *(DoubtCode.GPU_OTHERS, DoubtCode.GPU_SLOWDOWN, DoubtCode.GPU_THERMAL),
    *(DoubtCode.GPU_POWER_CAP, DoubtCode.GPU_CLOCK, DoubtCode.GPU_MEMORY),
)
"""Doubts that may say why an engine was slow."""


def doubt(run: RunDir) -> RunSpeed:
    """Judge the cells that are finished; each summary gets its index and, where it was disturbed, the doubt.

    May be called again: what an earlier call has written is replaced.
    """
    cells = sorted(finished_cells(run.path), key=lambda cell: cell.summary.window.started_unix_s)
    found = judge([cell_steps(cell) for cell in cells])
    for cell, speed in zip(cells, found.cells, strict=True):
        run.judge_speed(cell.id, speed)
        run.doubt_cell(cell.id, (DoubtCode.DISTURBED,), _doubts(cell.summary, speed))
    return found


def said(found: RunSpeed) -> list[str]:
    """What a person should be told of it, one sentence each."""
    told = []
    if found.drift >= DRIFTED:
        told.append(
            f"the engine's speed drifted by {found.drift:.0%} over the run; cells are held against those "
            "around them, so this alone disturbs none"
        )
    if found.disturbed:
        told.append(
            f"{len(found.disturbed)} of {len(found.cells)} cells were disturbed and decide nothing: "
            f"{_named(found.disturbed)}"
        )
    return told


def _named(cells: Sequence[CellSpeed], most: int = 5) -> str:
    names = ", ".join(cell.id for cell in cells[:most])
    return names if len(cells) <= most else f"{names} and {len(cells) - most} more"


def _doubts(summary: CellSummary, speed: CellSpeed) -> list[Doubt]:
    if not speed.disturbed:
        return []
    seen = [doubt.text.partition(":")[0] for doubt in summary.doubts if doubt.code in CAUSES]
    cause = "; ".join(seen) if seen else "something else ran on its core or card, or it was slowed down"
    text = f"{speed.size} ({cause}): what its requests met was not the setting; measure it on a quiet machine"
    return [Doubt(DoubtCode.DISTURBED, Severity.INVALID, text)]
