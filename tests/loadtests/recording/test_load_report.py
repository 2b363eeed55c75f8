"""A load run without --run-dir is a run folder like a sweep's: the report reads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from loadtests.recording.run_folder import RunFolder
from tests.loadtests.harness import LOCUSTFILE, ROOT, start, upstream


def test_the_report_shows_a_load_run(tmp_path: Path) -> None:
    """`python -m reports` works on the folder; the limits in force are those of the gateway's metrics."""
    with upstream(tmp_path, ttft_s=0.02, gap_s=0.005, behaviours=["ok", "ok", "429"]) as server:
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"]
        flags = f"--host {server.url} --rate 40 --warmup 0.5 --duration 3 --output-tokens 5".split()
        process = start([*command, *flags, "--runs-dir", str(tmp_path / "runs")], tmp_path / "log")
        assert process.wait(60) in (0, 11), (tmp_path / "log").read_text()
    (run,) = (tmp_path / "runs").iterdir()
    load = RunFolder(run / "cells" / "load").load()
    assert load["complete"]
    assert load["limits"] == {"max_active": 6, "queue_max": 20, "queue_mode": "queue"}
    done = subprocess.run(
        [sys.executable, "-m", "reports", str(run)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    page = (run / "report.html").read_text()
    assert "rejected_full" in page
