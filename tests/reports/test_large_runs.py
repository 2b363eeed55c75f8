"""Sixty cells with a million records: time, memory and size of the report."""

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from experiments.spec.loads import Load
from gateway.limits import QueueMode
from tests.reports.synthetic_run import setting, write_run

SETTINGS = tuple(
    setting(active, mode, queue)
    for active in (2, 4, 8, 16, 32)
    for mode, queue in (
        (QueueMode.QUEUE, 4), (QueueMode.QUEUE, 8), (QueueMode.QUEUE, 16), (QueueMode.REJECT, 0),
    )
)  # fmt: skip
LOADS = tuple(Load("sustained", rate, relative) for rate, relative in ((9.0, 0.7), (16.0, 1.25), (20.0, 1.5)))


def _use_of_tree(root: psutil.Process) -> tuple[float, float]:
    """(resident bytes, processor seconds) of a process and all below it, as they are now."""
    held = spent = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
            held += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system
    return held, spent


@pytest.mark.prove
def test_a_million_records_in_sixty_cells(tmp_path: Path) -> None:
    """Under 20 s of processor time, 1.5 GB (all processes, what they share counted in each) and 12 MB."""
    root = write_run(tmp_path / "r", settings=SETTINGS, loads=LOADS, warm_up_s=60, measure_s=1100)
    files = list(root.glob("cells/*/records.parquet"))
    assert len(files) == 60
    assert sum(len(pd.read_parquet(path, columns=["i"])) for path in files) >= 1_000_000
    start, peak, spent_s = time.monotonic(), 0.0, 0.0
    child = subprocess.Popen([sys.executable, "-m", "reports", str(root)], stdout=subprocess.DEVNULL)
    while child.poll() is None:
        held, spent = _use_of_tree(psutil.Process(child.pid))
        peak, spent_s = max(peak, held), max(spent_s, spent)
        time.sleep(0.05)
    took_s, size = time.monotonic() - start, (root / "report.html").stat().st_size
    print(f"{took_s:.1f} s, {spent_s:.1f} s of processor, {peak / 1e9:.2f} GB, {size / 1e6:.1f} MB")
    assert child.returncode == 0
    assert spent_s < 20  # processor time: another process may hold the cores
    assert peak < 1.5e9
    assert size < 12e6
