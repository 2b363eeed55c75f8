"""Recorded traffic through sweep and capacity on the emulator, from the command line to the report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from gateway.outcome import Outcome
from loadtests.planning import plan as plans
from tests.experiments import sweeping
from tests.loadtests.traffic.test_traffic import NAMES, line, segment

FLAGS = (
    *("--engine", "emulator", "--max-active", "2,8", "--queue-mode", "queue", "--queue-timeout", "2s"),
    *("--slo", "ttft<=2s,attainment>=0.5;alice.batch:ttft<=5s,attainment>=0.5", "--drain", "4s"),
    *("--load", "recorded@1.0x,recorded@2x", "--measure", "4s", "--warm-up", "1s", "--blocks", "2"),
    *("--min-requests", "10", "--design", "grid", "--sentinel", "off", "--quiet"),
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three requests a second, of which every seventh client left."""
    folder = tmp_path_factory.mktemp("recorded") / "recording"
    rows = [line(k / 3, 40 + k % 30) if k % 7 else line(k / 3, None, Outcome.CLIENT_ABORT) for k in range(90)]
    segment(folder, NAMES[0], *rows)
    return folder


@pytest.mark.prove
def test_a_sweep_of_what_was_recorded(recording: Path, tmp_path: Path) -> None:
    """Every setting meets the same stretch, each block another; records say who was to leave, summaries have
    each lane, and the report names the multiple."""
    out = tmp_path / "run"
    done = sweeping.run(out, *FLAGS, "--recorded", str(recording))
    assert done.returncode == 0, done.stdout + done.stderr
    found = sweeping.summaries(out)
    assert len(found) == 8
    of_block = {(s["workload"]["load"], s["workload"]["block"]): s["workload"]["plan_hash"] for s in found}
    assert len(set(of_block.values())) == len(of_block) == 4
    for summary in found:
        assert summary["workload"]["relative_load"] in (1.0, 2.0)
        assert set(summary["classes"]) == {"alice.batch", "bob.interactive"}
        folder = out / "cells" / summary["cell"]
        records = pq.read_table(folder / "records.parquet").to_pandas()
        planned = plans.load(folder / "plan.json")
        assert records["leaves_after_s"].notna().sum() == sum(a.cancel_after_s > 0 for a in planned.arrivals)
        assert planned.header.params["recording"] == "recording"
    assert "× recorded" in (out / "report.html").read_text()


@pytest.mark.prove
def test_how_much_denser_it_may_become(recording: Path, tmp_path: Path) -> None:
    """`capacity` plays the recording at one rate after another."""
    words = (
        "--engine",
        "emulator",
        "--load",
        "recorded@1.0x",
        "--recorded",
        str(recording),
        "--budget",
        "40s",
    )
    more = ("--measure", "5s", "--warm-up", "1s", "--slo", "ttft<=1s,attainment>=0.8", "--quiet")
    done = subprocess.run(
        [sys.executable, "-m", "experiments.capacity", "--out", str(tmp_path / "run"), *words, *more],
        cwd=sweeping.ROOT,
        env=sweeping.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cells = sweeping.summaries(tmp_path / "run")
    assert {cell["workload"]["scenario"] for cell in cells} == {"recorded"}
    assert json.loads((tmp_path / "run" / "run.json").read_text())["capacity"] is not None
