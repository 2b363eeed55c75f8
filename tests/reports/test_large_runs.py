"""Sixty cells with a million records: time, memory and size of the report."""

import resource
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.reports.synthetic_run import Load, setting, write_run

SETTINGS = tuple(
    setting(active, mode, queue, 0.4)
    for active in (2, 4, 8, 16, 32)
    for mode, queue in (("queue", 4), ("queue", 8), ("queue", 16), ("reject", 0))
)
LOADS = (Load(9.0, 0.7), Load(16.0, 1.25), Load(20.0, 1.5))


@pytest.mark.prove
def test_a_million_records_in_sixty_cells(tmp_path: Path) -> None:
    """Under 20 s of processor time, 1.5 GB and 12 MB."""
    root = write_run(tmp_path / "r", settings=SETTINGS, loads=LOADS, warm_up_s=60, measure_s=1050)
    files = list(root.glob("cells/*/records.parquet"))
    assert len(files) == 60
    assert sum(len(pd.read_parquet(path, columns=["i"])) for path in files) >= 1_000_000
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, "-m", "reports", str(root)], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Processor time, not wall time: the bound is about the work, and another process may hold the cores.
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{spent_s:.1f} s of processor, {time.monotonic() - start:.1f} s, {after.ru_maxrss / 1e6:.2f} GB")
    assert spent_s < 20
    assert after.ru_maxrss < 1_500_000  # kB
    assert (root / "report.html").stat().st_size < 12_000_000
