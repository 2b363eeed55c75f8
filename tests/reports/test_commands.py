"""The command line: what it writes, what it says, how it fails."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.decide import comparison_text
from experiments.decide.comparison import compare_runs
from experiments.run_folder import codec
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.run_state import RunState
from experiments.spec.loads import Load
from experiments.stats.paired import Verdict
from reports import compare
from reports.__main__ import main
from tests.reports import reading
from tests.reports.synthetic_run import LOADS, SETTINGS, write_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that share one of three settings, one that shares none with them, and something else."""
    folder = tmp_path_factory.mktemp("runs")
    write_run(folder / "a", settings=SETTINGS[:2], measure_s=8)
    write_run(folder / "b", settings=SETTINGS[1:3], measure_s=8)
    write_run(folder / "alone", settings=SETTINGS[4:5], loads=LOADS[:1], measure_s=8)
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
    assert "recommendation.json is damaged: not complete JSON" in capsys.readouterr().err


def test_comparing_is_the_comparison_of_experiments(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same Markdown: each shared cell once, a verdict, what has no partner; but always exit code 0."""
    assert main(["compare", str(runs / "a"), str(runs / "b")]) == 0
    out = capsys.readouterr().out
    assert out == comparison_text.markdown(compare_runs(runs / "a", runs / "b"))
    table = [line for line in out.splitlines() if line.startswith("| ma4-reject")]
    assert len(table) == len(LOADS)
    assert "only in A: ma4-q8" in out
    assert "only in B: ma8-q8" in out
    assert "EMULATOR" in out


def test_comparing_equal_cells_shows_no_change(runs: Path, tmp_path: Path) -> None:
    """The same trace and setting in both runs: goodputs are equal, the change is exactly nothing."""
    target = tmp_path / "c.html"
    assert main(["compare", str(runs / "a"), str(runs / "b"), "-o", str(target)]) == 0
    root = reading.read(target.read_text())
    heads = [th.text for th in reading.by_id(root, "table-compare").all("thead")[0].all("th")]
    rows = reading.by_id(root, "table-compare").all("tbody")[0].all("tr")
    values = [[td.attributes.get("data-v", "") for td in tr.all("td")] for tr in rows]
    assert len(values) == len(LOADS)
    for row in values:
        shown = dict(zip(heads, row, strict=True))
        assert shown["Goodput A"] == shown["Goodput B"]
        assert float(shown["Change"]) == 0.0
    assert "4 slots · reject" in root.text
    assert "EMULATOR" in root.text
    assert f"python -m experiments.compare {runs / 'a'} {runs / 'b'}" in root.text


def test_a_page_of_a_comparison_says_how_far_to_trust_a_change(runs: Path, tmp_path: Path) -> None:
    """Interval and verdict of each cell, and of the whole; a drop that is told from noise is red."""
    comparison = compare_runs(runs / "a", runs / "b")
    found = comparison.rows[0]
    fell = replace(
        found.goodput,
        verdict=Verdict.DIFFERENT, difference=-1.0, relative=-0.2, relative_low=-0.3, relative_high=-0.1,
    )  # fmt: skip
    unsure = replace(found.goodput, verdict=Verdict.CANT_TELL, relative=None, further_blocks=2)
    rows = (replace(found, goodput=fell), replace(found, goodput=unsure))
    root = reading.read(compare.page(replace(comparison, rows=rows)))
    first, second = reading.by_id(root, "table-compare").all("tbody")[0].all("tr")
    assert first.all("td")[5].text == "-20.0 %-30.0 to -10.0 %"
    assert "bad" in first.all("td")[5].attributes["class"]
    assert [td.text for td in second.all("td")[5:7]] == [
        "–no goodput on either side", "can't tell these apart2 more blocks would",
    ]  # fmt: skip
    assert "worse (1 of 2 cells)" in root.all("h1")[0].text


def test_runs_that_scaled_their_loads_are_paired_by_the_load_they_asked_for(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two sweeps probe two capacities: the same multiples of them stand side by side, with a warning."""
    loads = (Load("sustained", 9.3, 0.7), Load("sustained", 16.4, 1.25))
    other = write_run(tmp_path / "s", settings=SETTINGS[:2], loads=loads, measure_s=8)
    assert main(["compare", str(runs / "a"), str(other)]) == 0
    out = capsys.readouterr().out
    assert "**Not the same experiment**" in out
    assert "arrival plan of sustained@0.7x, block 0" in out
    assert "at 9/s" in out
    assert "at 9.3/s" in out
    assert "only in" not in out


def test_comparing_warns_of_unequal_experiments(runs: Path, tmp_path: Path) -> None:
    """Another engine, another model, other arrivals: each is said above the table, nothing is refused."""
    other = write_run(tmp_path / "other", settings=SETTINGS[:2], measure_s=8)
    state = codec.read(RunState, other / "run.json")
    assert state.engine is not None
    assert state.slo is not None
    engine = replace(state.engine, label="vLLM 0.32.0", provider="vllm", model="m")
    slo = replace(state.slo, text="ttft<=9s,attainment>=0.95")
    codec.write(other / "run.json", replace(state, engine=engine, slo=slo))
    path = next((other / "cells").glob("*/summary.json"))
    summary = codec.read(CellSummary, path)
    codec.write(path, replace(summary, workload=replace(summary.workload, plan_hash="another")))
    target = tmp_path / "c.md"
    assert main(["compare", str(runs / "a"), str(other), "-o", str(target)]) == 0
    text = target.read_text()
    assert "**Not the same experiment**" in text
    page = tmp_path / "c.html"
    assert main(["compare", str(runs / "a"), str(other), "-o", str(page)]) == 0
    root = reading.read(page.read_text())
    warning = next(e for e in reading.everything(root) if e.attributes.get("class") == "banner problem").text
    for shown in (text, warning):
        assert "engine: EMULATOR" in shown
        assert "model: tiny-test / m" in shown
        assert "arrival plan of" in shown
    assert "SLO: ttft<=500ms" in root.text
    assert "SLO" not in warning
    assert "numbers of A" in root.text


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
        (["compare", "{}/a", "{}/notes"], "neither run.json nor cells/"),
        (["compare", "{}/a", "{}/alone"], "share no valid cell"),
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
