"""The command on real processes: the emulator, the gateway, Locust, Prometheus."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.run_folder.live_run import LiveOutcome, LiveWay, read_live
from tests.experiments import sweeping

CELLS = (
    *("--engine", "emulator", "--measure", "8s", "--warm-up", "1s", "--drain", "4s"),
    *("--min-requests", "10", "--slo", "ttft<=800ms,tpot<=60ms", "--quiet"),
)


def _command(out: Path, a: str, b: str, *flags: str) -> list[str]:
    words = [sys.executable, "-m", "experiments.compare", "--live", a, b, "--out", str(out)]
    return [*words, *CELLS, *flags]


def _run(out: Path, a: str, b: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(out, a, b, *flags), cwd=sweeping.ROOT, env=sweeping.environment(), capture_output=True,
        text=True, timeout=400, check=False,
    )  # fmt: skip


@pytest.mark.prove
def test_an_engine_with_a_smaller_batch_is_worse_each_block_starts_its_own(tmp_path: Path) -> None:
    """In turn: six starts for three blocks; killed after the first block, it goes on with the second."""
    out = tmp_path / "live"
    flags = ("--rate", "12", "--blocks", "3")
    command = _command(out, "max_num_seqs=16", "max_num_seqs=2", *flags)
    first = subprocess.Popen(command, cwd=sweeping.ROOT, env=sweeping.environment(), start_new_session=True)
    try:
        sweeping.wait_until(lambda: len(list(out.glob("[ab]/cells/[!.]*/summary.json"))) >= 2, 240, "a block")
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("[ab]/cells/[!.]*--b0/records.parquet")}
    assert len(kept) == 2
    done = _run(out, "max_num_seqs=16", "max_num_seqs=2", *flags)
    assert done.returncode == 20, done.stderr
    assert "worse: goodput −" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    found = read_live(out)
    assert found.way is LiveWay.IN_TURN
    assert found.looks == (3,)
    starts = [len(json.loads((out / side / "run.json").read_text())["engine_starts"]) for side in "ab"]
    assert min(starts) >= 3
    assert (out / "live.html").exists()


@pytest.mark.prove
def test_the_same_engine_twice_both_up_is_not_called_different(tmp_path: Path) -> None:
    out = tmp_path / "live"
    done = _run(out, "as-is", "model=other", "--rate", "12", "--blocks", "3", "--together")
    assert done.returncode in (0, 21), done.stderr
    assert read_live(out).way is LiveWay.AT_ONCE


@pytest.mark.prove
def test_more_slots_of_one_engine_are_better(tmp_path: Path) -> None:
    out = tmp_path / "live"
    done = _run(out, "max_active=1", "max_active=8", "--rate", "8", "--blocks", "3")
    assert done.returncode == 0, done.stderr
    found = read_live(out)
    assert found.way is LiveWay.ONE_ENGINE
    assert found.result is not None
    assert found.result.outcome is LiveOutcome.BETTER
