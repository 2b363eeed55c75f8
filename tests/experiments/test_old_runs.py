"""Run folders that earlier code wrote still open, in every command that reads one and in the notebooks; or
one sentence says why not and what to do.

Commands are run as a person runs them, so that these tests outlive any change of the code behind them.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import reports
from benchmarks.before_after import allowed
from benchmarks.before_after.leaves import Difference, Leaves, differences, of_document
from benchmarks.before_after.made import of_csv
from benchmarks.before_after.stored import as_written_and_as_read
from tests.experiments import sweeping
from tests.reports import notebooks

ROOT = sweeping.ROOT
OLD = {path.name: path for path in sorted((ROOT / "tests" / "data" / "runs").iterdir())}
EXPECTED = ROOT / "tests" / "data" / "expected"
"""The exported tables and recommendations that the code of then made of them."""
MEANT = allowed.read(ROOT / "benchmarks" / "before_after" / "since_91ec9e7.toml")
EXAMPLES = {name: ROOT / "docs" / "examples" / name for name in ("vllm-cpu", "vllm-cpu-standard")}
RUNS = OLD | EXAMPLES
NO_CHOICE = "load run of its own.*; python -m reports"
"""Why nothing can be chosen from a run of the load generator alone, and what to do with it."""
NO_RATES = "no rates to take; name the run of a sweep"

every_run = pytest.mark.parametrize("name", RUNS)


def run(*words: str, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """`python -m WORDS`, its output as text."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT, env=sweeping.environment(), capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip


def is_done(done: subprocess.CompletedProcess[str], refusal: str | None = None) -> None:
    """It did what was asked; with `refusal`, a pattern, it said in one sentence why not and what to do."""
    assert "Traceback" not in done.stderr
    if refusal is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 2, done.stdout + done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert re.search(refusal, done.stderr), done.stderr


def unexplained(name: str, then: Leaves, now: Leaves) -> list[Difference]:
    """What is gone or another than then, without a reason on the list; what is new is no loss."""
    changed = [one for one in differences(then, now) if one.before is not None]
    return [one for one in changed if MEANT.reason(f"{name}: {one.path}") is None]


def copied(name: str, folder: Path) -> Path:
    """A copy of the run, since commands write into it."""
    return shutil.copytree(RUNS[name], folder / name)


def test_every_kind_of_run_is_there() -> None:
    """A sweep, one cut off in a cell, a load run, a tuned and a capacity run; the shipped examples."""
    assert set(OLD) == {"sweep", "cut-off", "load", "tune", "capacity"}
    assert len(EXAMPLES) == 2
    assert len(list(OLD["cut-off"].glob("cells/.*.partial/records.jsonl"))) == 1
    assert json.loads((OLD["cut-off"] / "run.json").read_text())["status"] == "running"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.prove if "standard" in name else ()) for name in RUNS]
)
def test_report(name: str, tmp_path: Path) -> None:
    """The page names the engine and has a section for every cell; the tables beside it hold what they held
    then.
    """
    is_done(run("reports", str(RUNS[name]), "-o", str(tmp_path / "report.html")))
    page = (tmp_path / "report.html").read_text()
    assert json.loads((RUNS[name] / "run.json").read_text())["engine"]["label"] in page
    for cell in RUNS[name].glob("cells/[!.]*"):
        assert f"<code>{cell.name}</code>" in page
    for then in (EXPECTED / name).glob("*.csv"):
        assert unexplained(name, of_csv(then), of_csv(tmp_path / "report-data" / then.name)) == []


@every_run
def test_summary(name: str) -> None:
    """Markdown with a line for each measured cell of the matrix."""
    done = run("reports", "summary", str(RUNS[name]))
    is_done(done)
    measured = [
        path for path in RUNS[name].glob("cells/[!.]*/summary.json") if "sentinel" not in path.parent.name
    ]
    rows = [line for line in done.stdout.splitlines() if line.startswith("|") and "/s" in line]
    assert len(rows) >= len(measured)


@every_run
def test_recommend(name: str, tmp_path: Path) -> None:
    """What was recommended then, to the last digit of every number."""
    copy = copied(name, tmp_path)
    done = run("experiments.recommend", str(copy))
    is_done(done, NO_CHOICE if name == "load" else None)
    if name != "load":
        assert "MAX_ACTIVE=" in done.stdout
        then = (EXPECTED if name in OLD else ROOT / "docs" / "examples") / name / "recommendation.json"
        pair = [
            of_document(json.loads(path.read_text()), f"{path.name}:")
            for path in (then, copy / "recommendation.json")
        ]
        assert unexplained(name, *pair) == []


@every_run
def test_compare_with_itself(name: str) -> None:
    """A run is no worse than itself."""
    done = run("experiments.compare", str(RUNS[name]), str(RUNS[name]))
    is_done(done, NO_CHOICE if name == "load" else None)
    assert ("+0.0%" in done.stdout) is (name != "load")


def test_compare_with_a_run_that_was_cut_off() -> None:
    """Two probes, so two sets of arrivals: refused, and with --anyway the cells that both have."""
    pair = (str(RUNS["sweep"]), str(RUNS["cut-off"]))
    is_done(run("experiments.compare", *pair), "--anyway")
    done = run("experiments.compare", *pair, "--anyway")
    is_done(done)
    assert "only in A: ma8-q100-t0.02s burst@0.2x blocks 0–1" in done.stdout


@every_run
def test_like_takes_a_run(name: str) -> None:
    """`--like RUN` reads its probe before anything starts; a load run has none."""
    done = run("experiments.sweep", "--like", str(RUNS[name]), "--engine", "emulator", "--dry-run")
    is_done(done, NO_RATES if name == "load" else None)


def test_like_takes_the_rates_of_an_old_run(tmp_path: Path) -> None:
    """The same rate, objective and derived limits as in the sweep of then."""
    flags = (
        "--engine",
        "emulator",
        "--like",
        str(RUNS["sweep"]),
        "--max-active",
        "2",
        "--queue-mode",
        "queue",
    )
    further = (
        "--design",
        "grid",
        "--load",
        "sustained@0.1x",
        "--output-tokens",
        "12",
        "--measure",
        "2s",
        "--warm-up",
        "1s",
    )
    done = sweeping.run(
        tmp_path / "run", *flags, *further, "--min-requests", "2", "--drain", "4s", "--quiet", timeout_s=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    then, now = (json.loads((at / "run.json").read_text()) for at in (RUNS["sweep"], tmp_path / "run"))
    (cell,) = now["cells"]
    (old,) = (cell for cell in then["cells"] if cell["id"] == "ma2-q100-t0.02s--sustained-0.1x--b0")
    assert cell["setting"] == old["setting"] | {"slot_cost": "requests"}, "what an old run had by default"
    assert cell["workload"]["rate_per_s"] == old["workload"]["rate_per_s"]
    assert now["slo"]["text"] == then["slo"]["text"]


@every_run
def test_documents_are_written_as_they_were_read(name: str) -> None:
    """Reading and writing loses no field of a document of then: a name that changes in reader and writer at
    once changes only here.
    """
    written, read = as_written_and_as_read(RUNS[name])
    assert len(written) > 100
    assert unexplained(name, written, read) == []


# Notebooks


@pytest.mark.parametrize("notebook", notebooks.NAMES)
@pytest.mark.parametrize("name", OLD)
def test_what_the_notebooks_do(
    name: str, notebook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code of each notebook from top to bottom, to its last cell."""
    monkeypatch.setenv("HEADROOM_RUN", str(copied(name, tmp_path)))
    names = notebooks.played(notebook)
    assert isinstance(names["b" if notebook == "compare_two_runs" else "run"], reports.Run)


@every_run
def test_the_frames_hold_every_measured_cell(name: str) -> None:
    """`reports.load` reads each cell's numbers, its records and, where there were any, its series."""
    loaded = reports.load(RUNS[name])
    measured = {path.parent.name for path in RUNS[name].glob("cells/[!.]*/summary.json")}
    cells = loaded.cells.set_index("cell").loc[sorted(measured)]
    assert (cells["offered"] > 0).all()
    assert cells["goodput_per_s"].notna().all()
    for cell in measured:
        records = loaded.cell_records(cell)
        assert (records["phase"] == "measure").sum() == cells.loc[cell, "offered"]
        assert name == "load" or len(loaded.cell_series(cell))


# Going on


def test_an_old_run_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    """The same command keeps what was measured, sets aside the half-done cell, and measures on; it is stopped
    after one cell.
    """
    out = copied("cut-off", tmp_path)
    kept = {path.parent.name: sweeping.digests(path.parent) for path in out.glob("cells/[!.]*/summary.json")}
    with (tmp_path / "stderr").open("w") as said:
        resumed = subprocess.Popen(
            command_of(out), cwd=ROOT, env=sweeping.environment(), stderr=said, start_new_session=True
        )
    try:
        sweeping.wait_until(
            lambda: len(list(out.glob("cells/[!.]*/summary.json"))) > len(kept) or resumed.poll() is not None,
            90, "one more cell",
        )  # fmt: skip
        os.kill(resumed.pid, signal.SIGINT)
        code = resumed.wait(timeout=60)
    finally:
        resumed.kill()
        resumed.wait()
    assert code == 130, (tmp_path / "stderr").read_text()
    assert all(sweeping.digests(out / "cells" / cell) == files for cell, files in kept.items())
    assert (out / "aborted" / "sentinel--ma2-q100-t120s--sustained-3.62--b0.1").is_dir()
    declared = [cell["id"] for cell in json.loads((out / "run.json").read_text())["cells"]]
    measured = {path.parent.name for path in out.glob("cells/[!.]*/summary.json")}
    assert set(kept) < measured <= set(declared)


def test_an_old_run_is_no_race_and_says_how_it_goes_on(tmp_path: Path) -> None:
    """Its own command would race by now: one sentence, and nothing in the folder changes."""
    out = copied("cut-off", tmp_path)
    *command, _, _ = command_of(out)
    done = subprocess.run(command, cwd=ROOT, env=sweeping.environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert "(changed: design.kind); --design grid goes on with it" in done.stderr.splitlines()[-1]


@pytest.mark.prove
def test_an_old_run_that_was_cut_off_is_completed(tmp_path: Path) -> None:
    """Every cell of the matrix that it declared then, each once; and a recommendation."""
    out = copied("cut-off", tmp_path)
    before = json.loads((out / "run.json").read_text())
    kept = {path.parent.name: sweeping.digests(path.parent) for path in out.glob("cells/[!.]*/summary.json")}
    done = subprocess.run(
        command_of(out),
        cwd=ROOT, env=sweeping.environment(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    after = json.loads((out / "run.json").read_text())
    assert after["status"] == "complete"
    assert [cell["id"] for cell in after["cells"]] == [cell["id"] for cell in before["cells"]]
    assert {path.parent.name for path in out.glob("cells/[!.]*/summary.json")} == {
        c["id"] for c in after["cells"]
    }
    assert all(sweeping.digests(out / "cells" / cell) == files for cell, files in kept.items())
    assert (after["probe"], after["slo"]) == (before["probe"], before["slo"])
    assert "MAX_ACTIVE=" in done.stdout


def command_of(out: Path) -> list[str]:
    """The command that is stored in the run, for this copy of it; a sweep of then measured a grid."""
    words = list(json.loads((out / "run.json").read_text())["command"])
    assert words[0] == "python"
    words[words.index("--out") + 1] = str(out)
    return [sys.executable, *words[1:], "--design", "grid"]
