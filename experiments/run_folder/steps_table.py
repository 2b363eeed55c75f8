"""The engine's steps in a cell, second by second, as one Parquet table: what the speed index is made from.

It is small: a whole run can be judged again and again without its records.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.speed.cell_steps import FEATURES, CellSteps

NAME = "steps.parquet"
SCHEMA = pa.schema(
    [
        ("at_s", pa.float64()),
        ("steps", pa.float64()),
        ("seconds", pa.float64()),
        ("work", pa.list_(pa.float64())),
    ]
)
"""`at_s`: from the begin of the measured window; the rest as in `CellSteps`."""


def save(steps: CellSteps, folder: Path) -> None:
    """Write them into the cell's folder."""
    columns = [steps.at_s, steps.steps, steps.seconds, steps.work.tolist()]
    pq.write_table(pa.table(columns, schema=SCHEMA), folder / NAME, compression="zstd")


def read(folder: Path, cell_id: str, engine: str, began_s: float, window_s: float) -> CellSteps | None:
    """Those of a finished cell; None where there are none, or of another version of the index."""
    if not (folder / NAME).exists():
        return None
    table = pq.read_table(folder / NAME)
    if not table.schema.equals(SCHEMA):
        return None
    work = np.array(table["work"].to_pylist(), dtype=float)
    if work.size != len(table) * FEATURES:
        return None
    at_s, steps, seconds = (table[name].to_numpy() for name in ("at_s", "steps", "seconds"))
    return CellSteps(cell_id, engine, began_s, window_s, at_s, steps, seconds, work.reshape(-1, FEATURES))
