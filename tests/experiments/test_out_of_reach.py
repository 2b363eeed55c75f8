"""An objective that even an idle engine misses, given to real commands on the emulator."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments import sweeping

SHAPE = ("--engine", "emulator", "--max-active", "4", "--queue-mode", "queue", "--quiet")


@pytest.mark.parametrize("command", ["sweep", "capacity"])
def test_the_run_ends_after_the_probe_with_an_objective_that_could_be_met(
    command: str, tmp_path: Path
) -> None:
    """Exit code of its own, no cell, and the same command would begin anew."""
    out = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-m", f"experiments.{command}", "--out", str(out), *SHAPE, "--slo", "tpot<=100us"],
        cwd=sweeping.ROOT,
        env=sweeping.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 22, done.stderr
    assert "even when idle the engine misses the objective (TPOT" in done.stderr
    assert "Traceback" not in done.stderr
    assert "--slo 'tpot<=" in done.stderr
    state = json.loads((out / "run.json").read_text())
    assert state["status"] == "complete"
    assert state["probe"]["tpot_s"] > 1e-4
    assert list(out.glob("cells/*")) == []
    assert sweeping.processes_naming(str(out)) == []
