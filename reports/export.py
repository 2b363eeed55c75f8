"""CSV and Parquet beside the HTML, with a file that explains every column."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from reports import columns
from reports.run import Run


def write(run: Run, folder: Path) -> list[Path]:
    """Write every frame of a run as NAME.csv and NAME.parquet into `folder`, and columns.csv; return what
    was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in columns.TABLES:
        frame: pd.DataFrame = getattr(run, name)
        frame.to_csv(folder / f"{name}.csv", index=False)
        frame.to_parquet(folder / f"{name}.parquet", index=False)
        written += [folder / f"{name}.csv", folder / f"{name}.parquet"]
    explained = [
        {"table": table, "column": column, "unit": unit, "meaning": meaning}
        for table, documented in columns.TABLES.items()
        for column, (unit, meaning) in documented.items()
    ]
    pd.DataFrame(explained).to_csv(folder / "columns.csv", index=False)
    return [*written, folder / "columns.csv"]
