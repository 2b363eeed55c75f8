"""Cells that something disturbed are measured again, later in the run, as far as that is worth its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from experiments.design.cells import Cell
from experiments.design.matrix import Matrix
from experiments.measure import speed_doubts
from experiments.measure.cell_steps import cell_steps
from experiments.run_folder import journal
from experiments.run_folder.folder import RunDir
from experiments.run_folder.measured_cell import finished_cells, read_cell
from experiments.speed.judge import CellSpeed, RunSpeed, judge

MOST_TIMES = 2
"""Each cell is measured again so often at most."""
MOST_EXTRA = 0.6
"""All of it takes at most this part of what the plan takes."""
REASON = "disturbed"

Measure = Callable[[Sequence[Cell]], object]
"""Measures cells that the run has not, one after another."""


def measure_disturbed_again(plan: Matrix, run: RunDir, cells: Sequence[Cell], measure: Measure) -> None:
    """Of these cells, those that were disturbed: until none is, or each had its turns, or time is up.

    The better of two measurements stays; the other is kept under `aborted/`. Goes on where a killed run
    stopped: what was measured again already is in the journal.
    """
    for _ in range(MOST_TIMES):
        chosen = _worth_it(plan, run, cells, speed_doubts.doubt(run))
        if not chosen:
            return
        earlier = {cell.id: run.repeat_cell(cell.id, REASON) for cell in chosen}
        measure(chosen)
        _keep_the_better(run, earlier)


def _worth_it(plan: Matrix, run: RunDir, cells: Sequence[Cell], found: RunSpeed) -> list[Cell]:
    """Those that were disturbed most come first, in as much time as is left for it."""
    times = _times_again(run)
    by_id = {cell.id: cell for cell in plan.cells}
    spent_s = sum(
        count * _seconds(plan, by_id[cell_id]) for cell_id, count in times.items() if cell_id in by_id
    )
    left_s = MOST_EXTRA * sum(_seconds(plan, cell) for cell in plan.cells) - spent_s
    own = {cell.id for cell in cells if not cell.sentinel}
    chosen = []
    for speed in sorted(found.disturbed, key=_harm, reverse=True):
        if speed.id not in own or times.get(speed.id, 0) >= MOST_TIMES:
            continue
        takes_s = _seconds(plan, by_id[speed.id])
        if takes_s <= left_s:
            chosen.append(by_id[speed.id])
            left_s -= takes_s
    return chosen


def _times_again(run: RunDir) -> Mapping[str, int]:
    """How often each cell was measured again for this reason."""
    times: dict[str, int] = {}
    for event in journal.read(run.path / "journal.jsonl"):
        if event.get("event") == "cell_repeated" and event.get("reason") == REASON:
            times[event["cell"]] = times.get(event["cell"], 0) + 1
    return times


def _seconds(plan: Matrix, cell: Cell) -> float:
    return plan.phases[cell.load].expected_s


def _harm(speed: CellSpeed) -> float:
    """Greater where more of the cell was slower."""
    return (speed.departs or 1.0) - 1 + (speed.slow_share or 0.0)


def _keep_the_better(run: RunDir, earlier: Mapping[str, Path]) -> None:
    """Put an earlier measurement back where the new one is missing, or disturbed even more."""
    now = finished_cells(run.path)
    before = {cell_id: read_cell(folder) for cell_id, folder in earlier.items()}
    ids = [cell.id for cell in now]
    judged = judge([cell_steps(cell) for cell in (*now, *before.values())]).cells
    of_now = dict(zip(ids, judged, strict=False))
    of_before = dict(zip(before, judged[len(now) :], strict=True))
    for cell_id, folder in earlier.items():
        new = of_now.get(cell_id)
        if new is None or (new.disturbed and _harm(new) > _harm(of_before[cell_id])):
            run.restore_cell(cell_id, folder)
