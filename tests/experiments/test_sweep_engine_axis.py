"""Sweeps over engine values with the emulator: one start for each, also after a kill in between."""

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from experiments.run_folder import journal
from tests.experiments import sweeping

TWO_STARTS = (
    *("--engine", "emulator", "--max-num-seqs", "2,16", "--max-active", "8", "--queue-mode", "queue"),
    *(
        "--design",
        "grid",
        "--load",
        "sustained@6",
        "--blocks",
        "2",
        "--measure",
        "8s",
        "--warm-up",
        "1s",
        "--drain",
        "4s",
    ),
    *("--min-requests", "10", "--quiet", "--slo", "ttft<=800ms,tpot<=60ms"),
)


def _starts(out: Path) -> int:
    """How often the engine was started, by its own log."""
    return (out / "logs" / "engine.log").read_text().count("EMULATOR tiny-cpu")


def _state(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "run.json").read_text()))


@pytest.mark.prove
def test_the_engine_is_started_once_for_each_value_and_the_values_tell(tmp_path: Path) -> None:
    """Two values, two starts; a batch of 2 cannot serve what one of 16 does, and the recommendation names
    the engine's flag. Which one it is depends on cells being valid, and so on how busy the machine is."""
    out = tmp_path / "run"
    done = sweeping.run(out, *TWO_STARTS)
    assert done.returncode == 0, done.stderr
    assert _starts(out) == 2
    state = _state(out)
    assert [start["knobs"] for start in state["engine_starts"]] == [{"max_num_seqs": 2}, {"max_num_seqs": 16}]
    found = sweeping.summaries(out)
    assert {s["cell"] for s in found} == {cell["id"] for cell in state["cells"]}
    assert sum(s["sentinel"] for s in found) == 4
    goodput = {2: 0.0, 16: 0.0}
    for summary in (s for s in found if not s["sentinel"]):
        goodput[summary["setting"]["max_num_seqs"]] += summary["rates"]["goodput_per_s"]
        assert sweeping.disagreeing_counts(summary) == []
    assert goodput[16] > goodput[2]
    env = (out / "recommended.env").read_text()
    named = json.loads((out / "recommendation.json").read_text())["setting"]["max_num_seqs"]
    assert f"MAX_NUM_SEQS={named}" in env
    assert f"--max-num-seqs {named}" in env


@pytest.mark.prove
def test_a_sweep_killed_at_its_second_engine_value_does_not_start_the_first_again(tmp_path: Path) -> None:
    """Nothing is lost, nothing is measured twice."""
    out = tmp_path / "run"
    first = subprocess.Popen(
        sweeping.command(out, *TWO_STARTS),
        cwd=sweeping.ROOT,
        env=sweeping.environment(),
        start_new_session=True,
    )
    try:
        sweeping.wait_until(lambda: len(list(out.glob("cells/[!.]*/summary.json"))) >= 5, 240, "five cells")
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    sweeping.wait_until(lambda: not sweeping.processes_naming(str(out)), 20, "the killed sweep is gone")
    before = {path.name for path in out.glob("cells/[!.]*")}
    done = sweeping.run(out, *TWO_STARTS)
    assert done.returncode == 0, done.stderr
    assert _starts(out) == 3
    assert [s["knobs"]["max_num_seqs"] for s in _state(out)["engine_starts"]] == [2, 16, 16]
    events = list(journal.read(out / "journal.jsonl"))
    measured = Counter(event["cell"] for event in events if event["event"] == "cell_done")
    measured.subtract(event["cell"] for event in events if event["event"] == "cell_repeated")
    assert before <= set(measured)
    assert measured == {cell["id"]: 1 for cell in _state(out)["cells"]}
