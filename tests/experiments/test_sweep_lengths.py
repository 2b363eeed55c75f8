"""Sweeps of engines that do not do what is asked: lengths ignored, fields refused, usage never told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments import sweeping
from tests.loadtests.harness import Upstream, upstream

FLAGS = (
    *("--max-active", "4", "--queue-mode", "queue", "--load", "sustained@20", "--measure", "3s"),
    *("--warm-up", "1s", "--min-requests", "10", "--drain", "3s", "--slo", "ttft<=5s"),
    *("--prompt-tokens", "20", "--output-tokens", "32"),
)
SCRIPT = {"ttft_s": 0.02, "gap_s": 0.001, "slots": 4}


def swept(server: Upstream, out: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return sweeping.run(out, "--engine-url", server.url, *FLAGS, *flags)


@pytest.mark.prove
def test_a_cell_of_another_workload_is_invalid(tmp_path: Path) -> None:
    """Half of the answers have 3 tokens of 32: both numbers in the line of the cell, its summary and
    the report; nothing is recommended, and nothing measured twice."""
    with upstream(tmp_path, **SCRIPT, behaviours=["short", "ok"]) as server:
        done = swept(server, tmp_path / "run")
    assert done.returncode == 1, done.stderr
    said = "3 output tokens reported where 32 were asked"
    (line,) = (line for line in done.stderr.splitlines() if "INVALID" in line)
    assert said in line
    assert "invalid: " in done.stderr
    assert "no recommendation" in done.stderr
    (summary,) = sweeping.summaries(tmp_path / "run")
    assert {d["severity"] for d in summary["doubts"] if d["code"] == "lengths"} == {"invalid"}
    assert (summary["lengths"]["outputs"]["off_asked"], summary["lengths"]["outputs"]["off_reported"]) == (
        32,
        3,
    )
    assert said in (tmp_path / "run" / "report.html").read_text()
    assert not (tmp_path / "run" / "recommendation.json").exists()


@pytest.mark.prove
def test_an_engine_that_refuses_fields_is_swept_without_them(tmp_path: Path) -> None:
    """The probe's sentence names the switches; with them the sweep ends, and says what it cannot know."""
    with upstream(tmp_path, **SCRIPT, behaviours=["plain"]) as server:
        refused = swept(server, tmp_path / "refused")
        free = swept(server, tmp_path / "free", "--lengths", "free", "--usage", "none")
    assert refused.returncode == 1
    assert "--lengths free --usage none" in refused.stderr.splitlines()[-1]
    assert free.returncode == 0, free.stderr
    run = tmp_path / "free"
    (summary,) = sweeping.summaries(run)
    assert summary["workload"]["answer_lengths"] == "free"
    assert summary["rates"]["output_tokens_per_s"] is None
    assert [d["code"] for d in summary["doubts"] if d["code"].startswith("lengths")] == ["lengths_unknown"]
    assert json.loads((run / "run.json").read_text())["spec"]["load"]["lengths"] == "free"
    page = (run / "report.html").read_text()
    assert "at most 32" in page
    assert "not reported" in page


@pytest.mark.prove
def test_a_capacity_without_usage_has_no_token_rate_of_zero(tmp_path: Path) -> None:
    """Every file of the run and of its report: empty, or not reported."""
    out = tmp_path / "run"
    with upstream(tmp_path, **SCRIPT, behaviours=["no_usage"]) as server:
        command = [sys.executable, "-m", "experiments.capacity", "--out", str(out), "--budget", "1s"]
        command += ["--engine-url", server.url]
        done = subprocess.run(
            [*command, *FLAGS],
            cwd=sweeping.ROOT,
            env=sweeping.environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    report = [sys.executable, "-m", "reports", str(out)]
    subprocess.run(report, cwd=sweeping.ROOT, check=True, capture_output=True, timeout=120)
    for path in [*out.glob("cells/*/*.json"), *out.glob("report-data/cells.csv"), out / "report.html"]:
        text = path.read_text()
        assert '"output_tokens_per_s": 0' not in text, path
    (header, row, *_) = (out / "report-data" / "cells.csv").read_text().splitlines()
    assert row.split(",")[header.split(",").index("output_tokens_per_s")] == ""
