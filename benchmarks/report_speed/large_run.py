"""A run folder of 60 cells with a million records, about 150 MB, made in a minute or two.

Three cells are drawn (the synthetic service of the report's tests), one a load; the other settings' cells are
the same files under other names. The report reads each of them for itself, so it has the work of sixty.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from experiments.decide.recommendation import recommend
from experiments.decide.recommended_files import save
from experiments.design.cells import Cell
from experiments.run_folder import codec
from experiments.run_folder.applied_setting import AppliedSetting
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.run_state import PlannedCell
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from gateway.limits import QueueMode
from tests.reports.synthetic_run import OBJECTIVE, plan_of, setting, state_of, write_cell

SETTINGS = tuple(
    setting(active, mode, queue)
    for active in (2, 4, 8, 16, 32)
    for mode, queue in (
        (QueueMode.QUEUE, 4), (QueueMode.QUEUE, 8), (QueueMode.QUEUE, 16), (QueueMode.REJECT, 0),
    )
)  # fmt: skip
LOADS = tuple(Load("sustained", rate, relative) for rate, relative in ((9.0, 0.7), (16.0, 1.25), (20.0, 1.5)))
WARM_UP_S, MEASURE_S = 60.0, 1100.0


def write(root: Path, settings: tuple[Setting, ...] = SETTINGS) -> int:
    """Write the run below `root`; how many records it has."""
    planned, records = [], 0
    for seed, load in enumerate(LOADS):
        plan = plan_of(load, WARM_UP_S, MEASURE_S, seed)
        first = write_cell(root, Cell(settings[0], load, 0), plan)
        every = [first, *(_again(root, first, Cell(one, load, 0)) for one in settings[1:])]
        planned += [PlannedCell(one.cell, one.setting, one.workload) for one in every]
        records += len(plan) * len(every)
    codec.write(root / "run.json", state_of(root.name, planned))
    save(root, recommend(root, OBJECTIVE))
    (root / "journal.jsonl").write_text("")
    return records


def _again(root: Path, drawn: CellSummary, cell: Cell) -> CellSummary:
    """The cell of another setting, with what was drawn for the first."""
    source, folder = root / "cells" / drawn.cell, root / "cells" / cell.id
    folder.mkdir()
    for name in ("records.parquet", "series.parquet", "load.json"):
        os.link(source / name, folder / name)
    summary = replace(drawn, cell=cell.id, setting=cell.setting)
    codec.write(folder / "summary.json", summary)
    codec.write(folder / "cell.json", AppliedSetting(cell.id, cell.setting, cell.setting.limits))
    return summary
