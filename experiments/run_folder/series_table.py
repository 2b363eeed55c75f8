"""A cell's Prometheus series on disk: one Parquet table in long form."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

NAME = "series.parquet"
SCHEMA = pa.schema([("t_s", pa.float64()), ("metric", pa.string()), ("value", pa.float64())])
"""`t_s`: seconds from the cell's t = 0. The same in every cell, also in one without a sample."""


def save(series: pd.DataFrame, folder: Path) -> None:
    """Write the samples (columns as in `SCHEMA`) to `series.parquet` in the cell's folder."""
    table = pa.Table.from_pandas(series, schema=SCHEMA, preserve_index=False)
    pq.write_table(table, folder / NAME)
