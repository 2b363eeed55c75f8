"""Two runs that did not measure every setting everywhere: what both have is judged, the rest is named."""

from pathlib import Path

import pytest

from experiments import gate
from experiments.decide.comparison import compare_runs
from experiments.decide.comparison_text import markdown
from reports import compare as pages
from tests.experiments import race_on_disk
from tests.experiments.race_on_disk import BEST, HEAVY, LEFT, LIGHT, RUNNER_UP, Measured


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline; it recommends BEST."""
    return race_on_disk.write(tmp_path_factory.mktemp("a") / "before")


def test_a_race_that_stopped_elsewhere_is_compared_on_what_both_have(base: Path, tmp_path: Path) -> None:
    """The same stack on another day, one setting left earlier and one later: nothing is called different."""
    measured = {
        LEFT: Measured({HEAVY: (0,), LIGHT: (0,)}, {}),
        RUNNER_UP: Measured({HEAVY: (0,)}, {}),
        BEST: Measured({LIGHT: (0, 1, 2, 3), HEAVY: (0, 1, 2)}, {LIGHT: (4,), HEAVY: (3, 4)}),
    }
    again = race_on_disk.write(tmp_path / "again", measured, run_seed=2)
    found = compare_runs(base, again)
    blocks = {(row.pair.setting, row.pair.load): (len(row.pair.a), row.judged) for row in found.rows}
    assert blocks == {
        (LEFT, "sustained@14"): (1, False),
        (RUNNER_UP, "sustained@14"): (1, False),
        (BEST, "sustained@6"): (3, True),
        (BEST, "sustained@14"): (5, True),
    }
    assert set(found.pairing.alone) == {
        f"only in A: {RUNNER_UP.name} sustained@6 blocks 0–1",
        f"only in A: {RUNNER_UP.name} sustained@14 blocks 1–2",
        f"only in A: {BEST.name} sustained@6 blocks 5–6",
        f"only in A: {BEST.name} sustained@14 blocks 5–6",
        f"only in B: {LEFT.name} sustained@6 block 0",
        f"only in B: {BEST.name} sustained@6 blocks 3–4",
    }
    assert found.overall.blocks == 5
    assert found.verdict != "different"
    assert not found.recommended_missing
    assert "Not judged: 2 of 4 cells, which have fewer than 3 common blocks" in markdown(found)
    assert gate.main([str(again), "--baseline", str(base)]) == 0
    assert "2 of 4 cells" in pages.page(found)


def test_a_slower_engine_fails_the_gate_by_what_both_have(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A quarter slower: the recommended setting's common blocks are enough to see it."""
    slow = race_on_disk.write(tmp_path / "slow", run_seed=3, speed=0.75)
    assert gate.main([str(slow), "--baseline", str(base)]) == 20
    assert "gate FAILED: worse" in capsys.readouterr().err
    found = compare_runs(base, slow)
    assert BEST in {row.pair.setting for row in found.worse}
    assert all(row.judged for row in found.worse)


def test_a_run_without_the_recommended_setting_cannot_be_judged_by_it(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named, and a strict gate does not pass; the others are judged."""
    measured = {
        LEFT: Measured({HEAVY: (0,)}, {}),
        RUNNER_UP: Measured({LIGHT: (0, 1, 2), HEAVY: (0, 1, 2)}, {LIGHT: (5,), HEAVY: (5,)}),
    }
    other = race_on_disk.write(tmp_path / "other", measured, run_seed=2)
    assert compare_runs(base, other).recommended_missing
    assert gate.main([str(other), "--baseline", str(base)]) == 0
    assert f"not judged: {BEST.name}, which before recommends (no common block)" in capsys.readouterr().err
    assert gate.main([str(other), "--baseline", str(base), "--strict"]) == 21
