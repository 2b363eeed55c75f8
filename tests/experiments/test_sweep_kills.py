"""`kill -9` at twenty random moments: it always resumes to the same cells, nothing lost or measured twice."""

import json
import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from experiments.run_folder import journal
from tests.experiments import sweeping

KILLS = 20
# Eight cells of about four seconds.
SHORT = (
    *("--engine", "emulator", "--max-active", "2,16", "--queue-mode", "queue,reject"),
    *("--load", "sustained@0.6x,burst@1.2x", "--measure", "2s", "--warm-up", "1s"),
    *("--min-requests", "5", "--drain", "4s", "--design", "grid", "--quiet"),
)
# A sweep of these cells takes a little longer; some lives end before anything is ready, some never.
LONGEST_LIFE_S = 40.0


class Sweep:
    """One run folder that is killed and resumed until it is complete."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.finished: dict[str, dict[str, str]] = {}

    def live(self, seconds: float) -> bool:
        """Work on it for so long, then die; whether it was killed before it was complete."""
        sweep = subprocess.Popen(
            sweeping.command(self.out, *SHORT),
            cwd=sweeping.ROOT,
            env=sweeping.environment(),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _, said = sweep.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.kill(sweep.pid, signal.SIGKILL)
            sweep.communicate()
            self.check_after_a_kill()
            return True
        assert sweep.returncode == 0, said
        return False

    def check_after_a_kill(self) -> None:
        """Nothing runs on; what was finished before is what it was."""
        sweeping.wait_until(
            lambda: not sweeping.processes_naming(str(self.out)), 20, "processes of the killed sweep are gone"
        )
        repeated = {e["cell"] for e in self.events() if e["event"] == "cell_repeated"}
        now = {cell.name: sweeping.digests(cell) for cell in self.out.glob("cells/[!.]*")}
        for name, files in self.finished.items():
            assert name in repeated or now[name] == files
        self.finished = now

    def check_complete(self) -> None:
        """Every cell of the matrix once, with a record of every planned request."""
        before = self.finished
        self.check_after_a_kill()
        assert set(before) <= set(self.finished)
        state = json.loads((self.out / "run.json").read_text())
        assert state["status"] == "complete"
        assert set(self.finished) == {cell["id"] for cell in state["cells"]}
        assert len(state["cells"]) == 8
        assert not list(self.out.glob("cells/.*"))
        for cell in self.out.glob("cells/*"):
            plan = json.loads((cell / "plan.json").read_text())
            assert pq.read_metadata(cell / "records.parquet").num_rows == plan["n"]
        said = Counter(e["event"] + " " + e["cell"] for e in self.events() if "cell" in e)
        for name in self.finished:
            # A kill between the folder's rename and the journal's line leaves none.
            assert said[f"cell_done {name}"] <= 1 + said[f"cell_repeated {name}"]

    def events(self) -> list[dict[str, Any]]:
        return list(journal.read(self.out / "journal.jsonl"))


@pytest.mark.prove
def test_twenty_kills_at_random_moments(tmp_path: Path) -> None:
    """A sweep that lives to its end is checked, and the next one begun, until twenty were killed."""
    moments = random.Random(20)
    kills, sweeps = 0, 1
    cells_at_kill: list[int] = []
    sweep = Sweep(tmp_path / "run1")
    while kills < KILLS:
        if sweep.live(moments.uniform(0.2, LONGEST_LIFE_S)):
            kills += 1
            cells_at_kill.append(len(sweep.finished))
        else:
            sweep.check_complete()
            sweeps += 1
            sweep = Sweep(tmp_path / f"run{sweeps}")
    assert not sweep.live(300.0)
    sweep.check_complete()
    print(f"{kills} kills over {sweeps} sweeps of 8 cells; cells on disk at each kill: {cells_at_kill}")
    assert len(set(cells_at_kill)) >= 4
