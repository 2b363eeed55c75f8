"""Run folders as a race leaves them: each setting measured as often as it took, the chosen one confirmed, and
a search for its largest rate.

The cells come from the simulated truth of `runs_on_disk`: what was not measured is taken away again.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.decide.recommendation import recommend
from experiments.decide.recommended_files import save
from experiments.design.cell_purpose import CellPurpose
from experiments.run_folder import codec
from experiments.run_folder.measured_cell import MeasuredCell, finished_cells
from experiments.spec.setting import Setting
from gateway.limits import Limits
from loadtests.slo import SLO
from tests.experiments import runs_on_disk
from tests.experiments.runs_on_disk import Recipe

LIGHT, HEAVY = 6.0, 14.0
LEFT, RUNNER_UP, BEST = (
    Setting(Limits(max_active=active, queue_max=16, queue_timeout_s=0.5)) for active in (2, 9, 10)
)
CONFIRMED = 5
"""The first block that took no part in the choice."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one setting: blocks by rate, requests per second."""

    to_choose: Mapping[float, tuple[int, ...]]
    to_confirm: Mapping[float, tuple[int, ...]]


RACE: Mapping[Setting, Measured] = {
    LEFT: Measured({HEAVY: (0,)}, {}),
    RUNNER_UP: Measured({LIGHT: (0, 1), HEAVY: (0, 1, 2)}, {}),
    BEST: Measured({LIGHT: (0, 1, 2), HEAVY: (0, 1, 2, 3, 4)}, {LIGHT: (5, 6), HEAVY: (5, 6)}),
}
"""One setting left after a stretch at one load, one after a few, the best measured on and confirmed."""


def write(root: Path, measured: Mapping[Setting, Measured] = RACE, **recipe: float) -> Path:
    """Write the run below `root`, its recommendation too, and return it. `recipe`: as in `Recipe`."""
    whole = replace(
        Recipe(blocks=7, loads=(LIGHT, HEAVY, 9.0, 12.0), settings=tuple(measured)),
        **recipe,  # type: ignore[arg-type] # the seeds are whole numbers
    )
    runs_on_disk.write(root, whole)
    for cell in finished_cells(root):
        purpose = _purpose(cell, measured[cell.setting])
        if purpose is None:
            shutil.rmtree(cell.path)
        elif purpose is not CellPurpose.MATRIX:
            _moved(cell, purpose)
    save(root, recommend(root, SLO.parse(runs_on_disk.SLO)))
    return root


def _purpose(cell: MeasuredCell, of_setting: Measured) -> CellPurpose | None:
    """What the cell was measured for; None where it was not."""
    if cell.block in of_setting.to_choose.get(cell.rate_per_s, ()):
        return CellPurpose.MATRIX
    if cell.block in of_setting.to_confirm.get(cell.rate_per_s, ()):
        return CellPurpose.VALIDATION
    searched = cell.rate_per_s not in (LIGHT, HEAVY) and cell.block == 0
    return CellPurpose.CAPACITY if searched and of_setting.to_confirm else None


def _moved(cell: MeasuredCell, purpose: CellPurpose) -> None:
    """The cell under the name and with the mark of its purpose."""
    folder = cell.path.rename(cell.path.with_name(f"{cell.id}--{purpose}"))
    offered = replace(cell.summary.workload, purpose=purpose)
    codec.write(folder / "summary.json", replace(cell.summary, cell=folder.name, workload=offered))
