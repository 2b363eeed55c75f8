"""`python -m loadtests.traces` tells what a file holds, and a load run plays it with the same words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from loadtests.traces import as_text, described, main, plot
from tests.loadtests.harness import ROOT, run, upstream
from tests.loadtests.planning.trace_data import FOLDER, stored, written


def told(name: str, capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, object]:
    """What `--json` says of a stored file."""
    assert main([str(FOLDER / name), "--json", *flags]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Every key, and the figures by hand."""
    assert told("bailian.jsonl", capsys) == {
        "format": "bailian",
        "requests": 4,
        "span_s": 44.25,
        "rate_per_s": pytest.approx(4 / 44.25),
        "prompt_tokens": {"mean": 327.5, "p50": 300, "p95": 500, "max": 500},
        "output_tokens": {"mean": 26.5, "p50": 20, "p95": 40, "max": 40},
        "gap_cv": pytest.approx(np.std([0.75, 15.75, 27.75]) / 14.75, abs=1e-4),
        "notes": [
            "stamps taken as seconds: chat_id is there, as in Bailian's traces, whose times are seconds"
        ],
    }


def test_the_unit_that_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """As for a load run."""
    what = told("bailian.jsonl", capsys, "--trace-unit", "ms")
    assert what["span_s"] == 0.04425
    assert what["notes"] == ["stamps taken as milliseconds, as told"]


def test_unknown_is_not_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """One request has no rate, and no gaps."""
    what = told("headroom_one_row.csv", capsys)
    assert (what["requests"], what["span_s"]) == (1, 0.0)
    assert what["rate_per_s"] is None
    assert what["gap_cv"] is None
    assert "no span to take a rate over" in as_text(
        "x", described(stored("headroom_one_row.csv")), np.zeros(1)
    )


def test_text(tmp_path: Path) -> None:
    """Figures in columns, a plot of the rate, the notes."""
    rows = "".join(f"{t},100,10\n" for t in [0, 1, 2, 3, *np.linspace(4, 8, 60).round(3)])
    trace = written(tmp_path, f"arrival_s,prompt_tokens,output_tokens\n{rows}")
    lines = as_text(trace.name, described(trace), trace.arrival_s).splitlines()
    assert lines[0] == "trace.csv: headroom, 64 requests in 8 s, 8 requests/s"
    assert lines[3].split() == ["prompt", "100.0", "100", "100", "100"]
    bars = [line[1:] for line in lines if line.startswith("|")]
    assert len(bars) == 5
    assert bars[0].strip("█ ") == ""
    assert bars[0].startswith(" " * 32)
    assert len(bars[0].rstrip()) == 64


def test_the_plot_in_plain_signs() -> None:
    """For a terminal that has no blocks."""
    lines = plot(np.array([0.0, 0.1, 9.0, 10.0]), 10.0, " #")
    assert lines[1:-1] == ["|#  #"] * 5


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("none.csv", "No such file"),
        (".", "is a directory without segments of a recording"),
        ("sharegpt.json", "no arrival times"),
        ("mooncake_torn.jsonl", "line 7"),
    ],
)
def test_one_sentence_and_exit_2(argument: str, said: str) -> None:
    """On standard error, as a process of its own; nothing on standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.traces", str(FOLDER / argument), "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("headroom: trace /")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_any_terminal(encoding: str) -> None:
    """A name and a plot that the terminal's encoding may not have."""
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.traces", str(FOLDER / "guidellm.csv")],
        cwd=ROOT, capture_output=True, timeout=60, env={"PYTHONIOENCODING": encoding, "PATH": "/usr/bin"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert ("█" in done.stdout.decode(encoding)) == (encoding == "utf-8")


def test_nobody_reads() -> None:
    """The output goes to a closed pipe, or to a full disk: no traceback."""
    command = f"{sys.executable} -m loadtests.traces {FOLDER}/guidellm.csv"
    for target in ("| true", "> /dev/full", ">&-"):
        done = subprocess.run(
            ["bash", "-c", f"{command} {target}"], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        assert "Traceback" not in done.stderr


def test_a_load_run_plays_what_was_described(tmp_path: Path) -> None:
    """Its plan and its result name what reading did, with the unit that was told."""
    file = FOLDER / "aiperf_delays.jsonl"
    flags = ("--scenario", "trace", "--trace", str(file), "--rate", "0", "--warmup", "0", "--duration", "2")
    with upstream(tmp_path, gap_s=0.001) as server:
        ran = run(server.url, tmp_path / "run", *flags, "--trace-unit", "ms")
    plan = ran.folder.plan()
    assert [a.due_s for a in plan.arrivals] == [0.0, 0.05, 1.5, 1.7005]
    assert "stamps taken as milliseconds, as told" in plan.header.notes
    assert ran.outcomes["ok"] == 4, ran.output
