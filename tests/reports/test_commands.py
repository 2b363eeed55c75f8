"""The command line: what it writes, what it says, how it fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reports.__main__ import main
from tests.reports import reading
from tests.reports.synthetic_run import LOADS, SETTINGS, Load, write_json, write_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two runs that share two of three settings, and of something else."""
    folder = tmp_path_factory.mktemp("runs")
    write_run(folder / "a", settings=SETTINGS[:2], measure_s=8)
    write_run(folder / "b", settings=SETTINGS[1:3], measure_s=8)
    (folder / "notes").mkdir()
    return folder


def test_the_report_is_one_file_with_data_beside_it(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m reports RUN` writes RUN/report.html and prints its path, nothing else."""
    assert main([str(runs / "a")]) == 0
    target = runs / "a" / "report.html"
    assert capsys.readouterr().out == f"{target}\n"
    assert "Recommended setting" in reading.read(target.read_text()).text
    assert (runs / "a" / "report-data" / "cells.csv").exists()
    assert not list((runs / "a").glob(".*.part"))


def test_output_goes_where_it_is_asked_to(runs: Path, tmp_path: Path) -> None:
    """Another file, without the data."""
    target = tmp_path / "new" / "x.html"
    assert main([str(runs / "a"), "-o", str(target), "--no-data"]) == 0
    assert [path.name for path in target.parent.iterdir()] == ["x.html"]


def test_problems_are_told_on_stderr_and_the_report_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A partial run is a report with notes, not a failure."""
    root = write_run(tmp_path / "r", settings=SETTINGS[:1], loads=LOADS[:1], measure_s=6)
    (root / "recommendation.json").write_text("{")
    assert main([str(root)]) == 0
    assert "recommendation.json is not complete JSON" in capsys.readouterr().err


def test_comparing_pairs_equal_settings_and_names_the_rest(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Markdown: both engines, each shared cell once, what has no partner; no claim of a difference."""
    assert main(["compare", str(runs / "a"), str(runs / "b")]) == 0
    out = capsys.readouterr().out
    table = [line for line in out.splitlines() if line.startswith("| ") and "reject" in line]
    assert len(table) == len(LOADS)
    assert "only in A: 4 slots" in out
    assert "only in B: 8 slots" in out
    assert "EMULATOR" in out
    assert "claims that two cells differ" in out
    assert f"python -m experiments.compare {runs / 'a'} {runs / 'b'}" in out


def test_comparing_equal_cells_gives_the_ratio_one(runs: Path, tmp_path: Path) -> None:
    """The same seed and setting in both runs: the exact ratio is 1."""
    target = tmp_path / "c.html"
    assert main(["compare", str(runs / "a"), str(runs / "b"), "-o", str(target)]) == 0
    root = reading.read(target.read_text())
    rows = reading.by_id(root, "table-compare").all("tbody")[0].all("tr")
    ratios = [float(tr.all("td")[4].attributes["data-v"]) for tr in rows]
    assert ratios == [1.0] * len(LOADS)


def test_runs_that_scaled_their_loads_are_paired_by_place_and_say_so(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two sweeps probe two capacities: the same multiples of them stand side by side, with a warning."""
    scaled = tuple(how | {"queue_timeout_s": 0.41} for how in SETTINGS[:2])
    other = write_run(tmp_path / "s", settings=scaled, loads=(Load(9.3, 0.7), Load(16.4, 1.25)), measure_s=8)
    assert main(["compare", str(runs / "a"), str(other)]) == 0
    out = capsys.readouterr().out
    assert "4 of 4 pairs are alike, not equal" in out
    assert "B: 4 slots · queue 8 · 0.41 s" in out
    assert "only in" not in out


def test_comparing_warns_of_unequal_experiments(runs: Path, tmp_path: Path) -> None:
    """Another engine, another SLO, other arrivals: each is said above the table."""
    other = write_run(tmp_path / "other", settings=SETTINGS[:2], measure_s=8)
    info = json.loads((other / "run.json").read_text())
    info["engine"] |= {"label": "vLLM 0.32.0", "provider": "vllm", "model": "m"}
    info["slo"]["text"] = "ttft<=9s"
    write_json(other / "run.json", info)
    path = next((other / "cells").glob("*/summary.json"))
    summary = json.loads(path.read_text())
    summary["workload"]["plan_hash"] = "another"
    write_json(path, summary)
    target = tmp_path / "c.md"
    assert main(["compare", str(runs / "a"), str(other), "-o", str(target)]) == 0
    text = target.read_text()
    assert "The engine differs" in text
    assert "The model differs" in text
    assert "The SLO differs" in text
    assert "1 of 4 pairs saw different arrivals" in text


def test_a_summary_fits_a_pull_request(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Answer, engine, doubts and a table that GitHub renders."""
    assert main(["summary", str(runs / "a")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("**Recommended: ") for line in lines)
    assert any("SLO `ttft<=" in line for line in lines)
    widths = {line.count("|") - line.count("\\|") for line in lines if line.startswith("|")}
    assert widths == {12}


def test_the_index_lists_runs_and_names_what_is_none(runs: Path, tmp_path: Path) -> None:
    """Links are relative, so that the folder can be moved."""
    (runs / "a" / "report.html").write_text("")
    assert main(["index", str(runs)]) == 0
    root = reading.read((runs / "index.html").read_text())
    assert [a.attributes["href"] for a in root.all("a")] == ["a/report.html"]
    assert "no report yet" in root.text
    assert "Not runs: notes" in root.text


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["{}/nowhere"], "is not a folder"),
        (["{}/notes"], "neither run.json nor cells/"),
        (["compare", "{}/a", "{}/nowhere"], "is not a folder"),
        (["index", "{}/nowhere"], "is not a folder"),
    ],
)
def test_a_wrong_path_is_one_sentence_and_exit_2(
    runs: Path, argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user is wrong: no traceback."""
    assert main([word.format(runs) for word in argv]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_file_that_cannot_be_written_is_one_sentence_and_exit_1(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The target's folder is a file."""
    blocked = runs / "a" / "run.json" / "x.html"
    assert main(["index", str(runs), "-o", str(blocked)]) == 1
    assert capsys.readouterr().err.startswith("Cannot write")


def test_the_module_runs_and_explains_itself() -> None:
    """`python -m reports --help` shows the commands."""
    done = subprocess.run(
        [sys.executable, "-m", "reports", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "compare runs/a runs/b" in done.stdout
    assert done.stderr == ""
