"""`kill -9` in the middle of a sweep: nothing left running, nothing lost, nothing measured twice."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from experiments import journal
from tests.experiments import sweeping


@pytest.mark.prove
def test_a_killed_sweep_is_finished_by_the_same_command(tmp_path: Path) -> None:
    """The cells from before the kill are byte for byte what they were."""
    out = tmp_path / "run"
    first = subprocess.Popen(
        sweeping.command(out, *sweeping.SMALL),
        cwd=sweeping.ROOT,
        env=sweeping.environment(),
        start_new_session=True,
    )
    try:
        sweeping.wait_until(
            lambda: len(list(out.glob("cells/[!.]*/summary.json"))) >= 2, 120, "two finished cells"
        )
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    sweeping.wait_until(
        lambda: not sweeping.processes_naming(str(out)), 20, "processes of the killed sweep are gone"
    )
    before = {cell.name: sweeping.digests(cell) for cell in (out / "cells").glob("[!.]*")}
    done = sweeping.run(out, *sweeping.SMALL)
    assert done.returncode == 0, done.stderr
    after = {cell.name: sweeping.digests(cell) for cell in (out / "cells").glob("[!.]*")}
    assert {name: after[name] for name in before} == before
    state = json.loads((out / "run.json").read_text())
    assert set(after) == {cell["id"] for cell in state["cells"]}
    measured = [e["cell"] for e in journal.read(out / "journal.jsonl") if e["event"] == "cell_done"]
    assert len(measured) == len(set(measured)) == len(after)
