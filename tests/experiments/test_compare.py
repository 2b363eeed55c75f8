"""Comparing two runs: the same thing twice is not different, a slower engine is, others are refused."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from experiments import compare, gate
from experiments.decide.comparison import compare_runs
from experiments.errors import UserError
from experiments.run_folder import codec
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.measured_cell import finished_cells
from experiments.run_folder.reading import read_run
from tests.experiments.runs_on_disk import Recipe, changed, write

BASE = Recipe()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline: two settings, two loads, three traces."""
    return write(tmp_path_factory.mktemp("a") / "before", BASE)


def test_the_same_thing_twice_is_not_called_different(base: Path, tmp_path: Path) -> None:
    """Another day, the same stack: no difference is claimed, and the gate passes."""
    again = write(tmp_path / "again", changed(BASE, run_seed=2))
    found = compare_runs(base, again)
    assert found.verdict in ("equal", "cant_tell")
    assert gate.main([str(again), "--baseline", str(base)]) == 0


def test_a_slower_engine_fails_the_gate(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A quarter slower under overload: told apart from noise, exit code 20, said in Markdown and in JUnit."""
    slow = write(tmp_path / "slow", changed(BASE, run_seed=3, speed=0.75))
    files = ["--markdown", str(tmp_path / "pr.md"), "--junit", str(tmp_path / "gate.xml")]
    assert gate.main([str(slow), "--baseline", str(base), *files]) == 20
    assert "worse" in (tmp_path / "pr.md").read_text()
    suite = ElementTree.parse(tmp_path / "gate.xml").getroot()  # written by ourselves a line above
    assert int(suite.attrib["failures"]) >= 1
    assert len(suite) == int(suite.attrib["tests"]) == 5
    assert "gate FAILED" in capsys.readouterr().err


def test_a_faster_engine_passes(base: Path, tmp_path: Path) -> None:
    """Different, but better: no failure."""
    fast = write(tmp_path / "fast", changed(BASE, run_seed=3, speed=1.3))
    assert compare.main([str(base), str(fast)]) == 0
    assert compare_runs(base, fast).verdict == "different"


def test_another_engine_is_refused(base: Path, tmp_path: Path) -> None:
    """Unless the user says that he knows; then the page says it too."""
    other = write(tmp_path / "other", changed(BASE, label="vLLM 0.32.0 (CPU)"))
    with pytest.raises(UserError, match=r"not the same experiment.*engine"):
        compare_runs(base, other)
    assert compare_runs(base, other, anyway=True).pairing.what_matters


def test_other_cores_are_refused(base: Path, tmp_path: Path) -> None:
    """An engine on two cores is another machine; the address it listens on is not."""
    other = write(tmp_path / "other", BASE)
    state = read_run(other)
    assert state.engine is not None
    moved = replace(state.engine, facts=replace(state.engine.facts, cpus=(0, 1)))
    codec.write(other / "run.json", replace(state, engine=moved))
    with pytest.raises(UserError, match="engine's cores: 0 / 0 1"):
        compare_runs(base, other)


def test_other_arrivals_are_refused(base: Path, tmp_path: Path) -> None:
    """The pairing cancels a trace only where it was the same trace."""
    other = write(tmp_path / "other", changed(BASE, trace_seed=7))
    with pytest.raises(UserError, match="arrival plan"):
        compare_runs(base, other)


def test_runs_without_a_common_cell_are_refused(base: Path, tmp_path: Path) -> None:
    """Nothing to pair is a mistake, not an equality."""
    other = write(tmp_path / "other", changed(BASE, loads=(5.0,), blocks=1))
    with pytest.raises(UserError, match="share no valid cell"):
        compare_runs(base, other)


def test_an_invalid_cell_is_left_out_and_named(base: Path, tmp_path: Path) -> None:
    """Numbers under a failed validity stamp decide nothing."""
    again = write(tmp_path / "again", changed(BASE, run_seed=2))
    cell = finished_cells(again)[0]
    late = Doubt(DoubtCode.CLIENT_SATURATED, Severity.INVALID, "late")
    codec.write(cell.path / "summary.json", replace(cell.summary, doubts=(late,)))
    found = compare_runs(base, again)
    assert len(found.pairing.left_out) == 1
    assert sum(len(row.pair.a) for row in found.rows) == 11


def test_one_trace_says_what_it_assumes(base: Path, tmp_path: Path) -> None:
    """Below three traces there is an interval from inside the trace, with its assumption, and the wish for
    more."""
    one = write(tmp_path / "one", changed(BASE, blocks=1))
    again = write(tmp_path / "again", changed(BASE, blocks=1, run_seed=2))
    found = compare_runs(one, again)
    assert all("assumed between two runs" in row.goodput.why for row in found.rows)
    assert found.verdict != "different"


@pytest.mark.parametrize("flags", [["--delta", "0"], ["--slo", "fast"]])
def test_a_wrong_option_is_one_sentence(base: Path, flags: list[str]) -> None:
    """Exit code 2, before anything is read."""
    with pytest.raises((UserError, SystemExit)):
        compare.main([str(base), str(base), *flags])


@pytest.mark.prove
def test_whole_comparisons_of_equal_runs_are_seldom_called_different(tmp_path: Path) -> None:
    """100 pairs of runs of the same stack, four cells and three blocks each: different in 5 % at most, within
    two standard errors."""
    recipe = changed(BASE, measure_s=20.0)
    different = 0
    for seed in range(100):
        a = write(tmp_path / f"a{seed}", changed(recipe, trace_seed=seed, run_seed=2 * seed))
        b = write(tmp_path / f"b{seed}", changed(recipe, trace_seed=seed, run_seed=2 * seed + 1))
        different += compare_runs(a, b).verdict == "different"
    print(f"A/A of whole runs: {different} of 100 called different")
    assert different <= 9
