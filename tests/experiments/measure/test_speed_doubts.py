"""Disturbed cells of a run folder: doubted, measured again as far as it is worth it, and deciding nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.cli import sweep_args
from experiments.decide.recommendation import recommend
from experiments.design.cells import Cell
from experiments.design.matrix import Matrix
from experiments.design.windows import Phases
from experiments.errors import UndecidedError
from experiments.measure import speed_doubts
from experiments.measure.cell_steps import cell_steps
from experiments.measure.measure_again import measure_disturbed_again
from experiments.run_folder import codec, journal, steps_table
from experiments.run_folder.doubt import DoubtCode
from experiments.run_folder.folder import RunDir, open_or_create
from experiments.run_folder.measured_cell import finished_cells, read_cell
from experiments.spec.loads import Load
from experiments.speed.cell_steps import CellSteps
from loadtests.slo import SLO
from tests.experiments import plain, runs_on_disk
from tests.experiments.runs_on_disk import SETTINGS, Recipe
from tests.experiments.speed.drawn_cells import Slower, drawn_cells

BLOCKS = 6
CELLS = BLOCKS * len(SETTINGS)
WINDOW_S, APART_S = 20.0, 25.0
"""As `drawn_cells` has them."""


@contextmanager
def made_run(root: Path, slower: Slower) -> Iterator[RunDir]:
    """Two settings at one load in six blocks, the cells one after another while the engine is `slower`."""
    written = runs_on_disk.write(root / "made", Recipe(blocks=BLOCKS, loads=(6.0,), measure_s=WINDOW_S))
    run, _ = open_or_create(root, root / "run", sweep_args.parse(()).spec, ("test",))
    run.save(replace(run.state, slo=plain.objective(runs_on_disk.SLO)))
    (written / "cells").rename(run.path / "cells")
    for place, (cell, steps) in enumerate(zip(finished_cells(run.path), drawn_cells(slower), strict=True)):
        _put(run, cell.id, steps, 1000.0 + place * APART_S)
    try:
        yield run
    finally:
        run.close()


def _put(run: RunDir, cell_id: str, steps: CellSteps, unix_s: float) -> None:
    summary = read_cell(run.cell(cell_id)).summary
    window = replace(summary.window, started_unix_s=unix_s - summary.window.start_s)
    codec.write(run.cell(cell_id) / "summary.json", replace(summary, window=window))
    steps_table.save(steps, run.cell(cell_id))


def between(*stretches: tuple[float, float], by: float = 1.6) -> Slower:
    """Slower in these stretches of the run, seconds."""
    return lambda t_s: by if any(begin <= t_s < end for begin, end in stretches) else 1.0


def disturbed(run: RunDir) -> list[str]:
    return [cell.id for cell in finished_cells(run.path) if DoubtCode.DISTURBED in cell.invalid_codes]


def test_a_disturbed_cell_is_named_with_its_size_and_decides_nothing(tmp_path: Path) -> None:
    with made_run(tmp_path, between((50, 60))) as run:
        third = finished_cells(run.path)[2].id
        found = speed_doubts.doubt(run)
        assert disturbed(run) == [third] == [cell.id for cell in found.disturbed]
        (doubt,) = read_cell(run.cell(third)).summary.doubts
        # 20 s for what takes 10 + 10/1.6 s.
        assert "the engine was 23% slower than in the run around this cell, 1.60 times slower" in doubt.text
        assert "measure it on a quiet machine" in doubt.text
        assert any(third in said for said in speed_doubts.said(found))
        recommended = recommend(run.path, SLO.parse(runs_on_disk.SLO))
        assert third not in recommended.cell_ids
        assert any(third in doubt and "disturbed" in doubt for doubt in recommended.doubts)


def test_judging_again_changes_nothing_and_quiet_cells_have_their_index(tmp_path: Path) -> None:
    with made_run(tmp_path, between((50, 60))) as run:
        speed_doubts.doubt(run)
        before = {path: path.read_bytes() for path in run.path.rglob("summary.json")}
        noted = list(journal.read(run.path / "journal.jsonl"))
        speed_doubts.doubt(run)
        assert {path: path.read_bytes() for path in run.path.rglob("summary.json")} == before
        assert list(journal.read(run.path / "journal.jsonl")) == noted
        indices = [cell.summary.speed.index for cell in finished_cells(run.path) if cell.summary.speed]
        assert len(indices) == CELLS


def test_a_run_of_which_most_was_disturbed_cannot_decide(tmp_path: Path) -> None:
    """Seven of twelve cells, each for a part of its window: the quiet parts say what quiet is."""
    stretches = [(k * APART_S, k * APART_S + 8) for k in range(7)]
    with made_run(tmp_path, between(*stretches)) as run:
        speed_doubts.doubt(run)
        assert len(disturbed(run)) == 7
        with pytest.raises(UndecidedError, match="cannot decide: 7 of 12 cells were disturbed") as raised:
            recommend(run.path, SLO.parse(runs_on_disk.SLO))
        assert raised.value.exit_code == 3


class Bench:
    """Measures cells again: how slow the engine is then comes from a list, a turn after the other."""

    def __init__(self, run: RunDir, *turns: float) -> None:
        self.run, self.turns = run, list(turns)
        self.measured: list[list[str]] = []

    def measure(self, cells: Sequence[Cell]) -> None:
        by = self.turns.pop(0)
        self.measured.append([cell.id for cell in cells])
        for cell in cells:
            (aside,) = (self.run.path / "aborted").glob(f"{cell.id}.{len(self.measured)}")
            folder = self.run.cell(cell.id)
            folder.mkdir()
            for path in aside.iterdir():
                (folder / path.name).write_bytes(path.read_bytes())
            steps = drawn_cells(between((5, 15), by=by), seed=7)[0]
            _put(self.run, cell.id, steps, 1000.0 + (CELLS + len(self.measured)) * APART_S)


def plan_of(run: RunDir, drain_s: float = 1.0) -> Matrix:
    """The matrix that the run would be of."""
    load = Load("sustained", 6.0, None)
    cells = tuple(Cell(cell.setting, load, cell.block) for cell in finished_cells(run.path))
    assert {cell.id for cell in cells} == {cell.id for cell in finished_cells(run.path)}
    return Matrix(cells, {load: Phases(5.0, WINDOW_S, drain_s)}, sweep_args.parse(()).spec, 300.0, None)


def again(run: RunDir, *turns: float) -> Bench:
    """What was measured again, if it finds the engine so slow in each turn."""
    bench, plan = Bench(run, *turns), plan_of(run)
    measure_disturbed_again(plan, run, plan.cells, bench.measure)
    return bench


def test_a_disturbed_cell_is_measured_again_and_the_quiet_measurement_stays(tmp_path: Path) -> None:
    with made_run(tmp_path, between((50, 60))) as run:
        third = finished_cells(run.path)[2].id
        assert again(run, 1.0).measured == [[third]]
        speed_doubts.doubt(run)
        assert disturbed(run) == []
        assert (run.path / "aborted" / f"{third}.1").exists()


def test_after_two_more_disturbed_measurements_the_best_of_three_stays(tmp_path: Path) -> None:
    """The second was the best of them; a further start of the sweep does not begin again."""
    with made_run(tmp_path, between((50, 60))) as run:
        third = finished_cells(run.path)[2].id
        assert again(run, 1.3, 2.0).measured == [[third], [third]]
        speed_doubts.doubt(run)
        assert disturbed(run) == [third]
        kept = read_cell(run.cell(third)).summary.speed
        assert kept is not None
        assert kept.slow_by == pytest.approx(1.3, abs=0.05)
        assert again(run).measured == []


def test_measuring_again_takes_no_more_than_its_part_of_the_plan(tmp_path: Path) -> None:
    """Five of twelve cells twice would be ten; six tenths of twelve are seven. The worst come first."""
    stretches = [(k * APART_S, k * APART_S + 6 + 2 * k) for k in range(5)]
    with made_run(tmp_path, between(*stretches)) as run:
        ids = [cell.id for cell in finished_cells(run.path)]
        measured = again(run, 1.6, 1.6).measured
        assert set(measured[0]) == set(ids[:5])
        assert measured[0][0] == ids[4]
        assert sum(len(turn) for turn in measured) == 7


def test_older_cells_without_a_table_of_steps_are_judged_from_their_records() -> None:
    """The example of the documentation: the steps found in the chunks, and a verdict for each cell."""
    example = Path(__file__).resolve().parents[3] / "docs" / "examples" / "vllm-cpu"
    cells = finished_cells(example)
    assert not list(example.rglob(steps_table.NAME))
    found = [cell_steps(cell) for cell in cells]
    assert all(6 <= len(steps.seconds) <= 8 for steps in found)
