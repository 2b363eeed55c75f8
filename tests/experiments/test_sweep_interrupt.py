"""Ctrl-C in the middle of a sweep."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments import sweeping


@pytest.mark.prove
def test_an_interrupted_sweep_stops_everything_and_says_how_to_go_on(tmp_path: Path) -> None:
    """Nothing left running, a readable partial run, one sentence, exit code 130."""
    out = tmp_path / "run"
    swept = subprocess.Popen(
        sweeping.command(out, *sweeping.SMALL),
        cwd=sweeping.ROOT,
        env=sweeping.environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        sweeping.wait_until(lambda: bool(list(out.glob("cells/[!.]*/summary.json"))), 120, "a finished cell")
        os.kill(swept.pid, signal.SIGINT)
        _, said = swept.communicate(timeout=60)
    finally:
        swept.kill()
    assert swept.returncode == 130
    assert "the same command goes on" in said
    assert "Traceback" not in said
    assert sweeping.processes_naming(str(out)) == []
    assert json.loads((out / "run.json").read_text())["status"] == "partial"
    report = subprocess.run(
        [sys.executable, "-m", "reports", str(out)],
        cwd=sweeping.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.returncode == 0, report.stderr
