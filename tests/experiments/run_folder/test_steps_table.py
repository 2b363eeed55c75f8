"""The steps of a cell, written and read again."""

from pathlib import Path

import numpy as np

from experiments.run_folder import steps_table
from experiments.speed.cell_steps import FEATURES, CellSteps


def test_a_cell_without_a_step_that_tells_anything_is_read(tmp_path: Path) -> None:
    """Nobody was served in its window: there are no rows."""
    none = np.zeros(0)
    steps_table.save(CellSteps("a", "", 0.0, 5.0, none, none, none, np.zeros((0, FEATURES))), tmp_path)
    found = steps_table.read(tmp_path, "a", "", 0.0, 5.0)
    assert found is not None
    assert found.work.shape == (0, FEATURES)
