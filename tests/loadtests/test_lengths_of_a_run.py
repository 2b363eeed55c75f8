"""Planned is not done: an engine that ignores lengths is told apart, one that refuses them asked without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.loadtests.harness import LOCUSTFILE, ROOT, Ran, run, start, upstream

FAST = ("--rate", "40", "--warmup", "0", "--duration", "1", "--output-tokens", "32", "--prompt-tokens", "20")
SATURATED = 11


def cell_of(folder: Path) -> Path:
    cells = folder / "runs" / "it" / "cells"
    cells.mkdir(parents=True)
    return cells / "load"


def report_of(run_folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "reports", str(run_folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return (run_folder / "report.html").read_text()


def test_an_engine_that_ignores_lengths_is_said_everywhere(tmp_path: Path) -> None:
    """Half of the answers have 3 tokens of 32: in load.json, at the end of the output, in the exit code of a
    gate and on the report, with both numbers."""
    with upstream(tmp_path, ttft_s=0.01, gap_s=0.001, behaviours=["short", "ok"]) as server:
        ran = run(server.url, cell_of(tmp_path), *FAST, "--gate")
    assert ran.code in (14, SATURATED), ran.output
    lengths = ran.load["lengths"]
    assert lengths["outputs"]["compared"] == lengths["served"]
    assert lengths["outputs"]["off"] == sum(record.output_tokens == 3 for record in ran.records) > 0
    assert (lengths["outputs"]["off_asked"], lengths["outputs"]["off_reported"]) == (32, 3)
    said = "3 output tokens reported where 32 were asked"
    assert said in ran.output
    page = report_of(tmp_path / "runs" / "it")
    assert said in page
    assert "invalid" in page


def asked_plainly(folder: Path, *flags: str) -> tuple[Ran, list[dict[str, object]]]:
    with upstream(folder, ttft_s=0.01, gap_s=0.001, behaviours=["plain"]) as server:
        ran = run(server.url, cell_of(folder), *FAST, *flags)
        return ran, [entry["request"] for entry in server.log()]


def test_an_engine_that_refuses_fields_is_asked_without(tmp_path: Path) -> None:
    """No forced lengths, no stream options: every request is served; what the engine does not tell is not
    reported, and nowhere zero."""
    csv = ("--csv", str(tmp_path / "locust"))
    ran, requests = asked_plainly(tmp_path, "--lengths", "free", "--usage", "none", *csv)
    assert ran.code in (0, SATURATED), ran.output
    assert set(ran.outcomes) == {"ok"}
    assert requests[0] == {"model": "scripted-model", "max_tokens": 32, "temperature": 0, "stream": True}
    assert (ran.load["answer_lengths"], ran.load["usage"]) == ("free", "none")
    assert ran.load["summary"]["rates"]["output_tokens_per_s"] is None
    assert ran.load["lengths"]["outputs"]["reported_mean"] is None
    assert "lengths could not be checked" in ran.output
    sizes = [row.split(",")[8] for row in (tmp_path / "locust_stats.csv").read_text().splitlines()]
    assert sizes[:2] == ["Average Content Size", "nan"]
    page = report_of(tmp_path / "runs" / "it")
    assert "not reported" in page
    assert "at most 32" in page


def test_flags_that_contradict_each_other_are_one_sentence(tmp_path: Path) -> None:
    log = tmp_path / "log"
    flags = ["--headless", "--host", "http://127.0.0.1:9", "--usage", "none", "--chunk-usage"]
    process = start([sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *flags], log)
    assert process.wait(60) == 2
    assert "drop one of them" in log.read_text()
