"""A synthetic run as a race leaves it: cells as those of `synthetic_run`, but not every one of the matrix, of
unequal windows, and some that no setting is chosen by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from experiments.decide.recommendation import recommend
from experiments.decide.recommended_files import save
from experiments.design.cell_purpose import CellPurpose
from experiments.design.cells import Cell
from experiments.run_folder import codec
from experiments.run_folder.race_story import EngineRace, RaceEnd, RaceLook, RacePlace, RaceStory
from experiments.run_folder.run_state import PlannedCell
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from gateway.limits import QueueMode
from tests.reports.synthetic_run import OBJECTIVE, plan_of, setting, state_of, write_cell

LEFT, RUNNER_UP, BEST = (setting(active, QueueMode.QUEUE, 8) for active in (2, 8, 16))
LIGHT, MIDDLE, HEAVY = Load("sustained", 4.0, 0.3), Load("sustained", 9.0, 0.7), Load("sustained", 16.0, 1.25)
SEARCHED = (Load("sustained", 11.0, None), Load("sustained", 13.0, None))
SHORT_S, LONG_S = 10.0, 20.0
MATRIX: Mapping[Setting, Mapping[Load, tuple[int, ...]]] = {
    LEFT: {HEAVY: (0,)},
    RUNNER_UP: {LIGHT: (0,), HEAVY: (0, 1, 2)},
    BEST: {LIGHT: (0, 1), MIDDLE: (0,), HEAVY: (0, 1, 2, 3)},
}
"""Blocks by load. The first block is shorter than the others; one setting has a hole at the middle load."""
CONFIRMED = {LIGHT: (4,), HEAVY: (4, 5)}


def write_race(root: Path) -> Path:
    """Write the whole run folder below `root` and return it."""
    cells = [
        Cell(one, load, block)
        for one, loads in MATRIX.items()
        for load, blocks in loads.items()
        for block in blocks
    ]
    cells += [
        Cell(BEST, load, block, purpose=CellPurpose.VALIDATION)
        for load, blocks in CONFIRMED.items()
        for block in blocks
    ]
    cells += [Cell(BEST, load, 0, purpose=CellPurpose.CAPACITY) for load in SEARCHED]
    planned = []
    for cell in cells:
        measure_s = LONG_S if cell.block or cell.purpose is not CellPurpose.MATRIX else SHORT_S
        seed = 100 * int(10 * (cell.load.rate_per_s or 0.0)) + cell.block
        summary = write_cell(root, cell, plan_of(cell.load, 2.0, measure_s, seed))
        planned.append(PlannedCell(summary.cell, summary.setting, summary.workload))
    codec.write(root / "run.json", replace(state_of(root.name, planned), expected_s=600.0))
    save(root, recommend(root, OBJECTIVE))
    (root / "journal.jsonl").write_text("")
    return root


def story(end: RaceEnd = RaceEnd.BUDGET) -> RaceStory:
    """How the race of this run might have gone: the runner-up led first, one left, two stayed."""
    names = [one.name for one in (LEFT, RUNNER_UP, BEST)]
    looks = (
        RaceLook("screening 3 settings at sustained@1.25x", 30.0, None, 0.0, ()),
        RaceLook("screening at the other loads", 90.0, names[1], 0.41, (names[0],)),
        RaceLook("round 1", 180.0, names[2], 0.73, ()),
        RaceLook("round 2", 300.0, names[2], 0.88, ()),
    )
    left, near, best = (
        {str(load): len(blocks) for load, blocks in MATRIX[one].items()} for one in (LEFT, RUNNER_UP, BEST)
    )
    places = (
        RacePlace(LEFT, names[0], left, 0.61, 0.52, 0.7, 0.0, 2, None),
        RacePlace(RUNNER_UP, names[1], near, 0.985, 0.94, 1.03, 0.12, None, 757.0),
        RacePlace(BEST, names[2], best, 1.0, 1.0, 1.0, 0.0, None, None),
    )
    return RaceStory((EngineRace(end, 0.02, 0.88, names[2], looks, places),))
