"""Doubts that only the whole run can raise, written into the cells they are about."""

import shutil
from dataclasses import replace
from pathlib import Path

from experiments.cli import sweep_args
from experiments.measure import drift_doubts
from experiments.run_folder import codec, journal
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.folder import RunDir, open_or_create
from experiments.run_folder.measured_cell import MeasuredCell, finished_cells, read_cell
from experiments.spec.setting import Setting
from gateway.limits import Limits
from tests.experiments import plain, runs_on_disk
from tests.experiments.runs_on_disk import Recipe

CURRENT = Setting(Limits(max_active=8, queue_max=100, queue_timeout_s=5.0))
OTHER = Doubt(DoubtCode.CUT, Severity.WARN, "two requests")


def _run(root: Path, speeds: tuple[float, ...]) -> RunDir:
    """A sentinel (the same arrivals in every block, the machine at these speeds) and one other cell a
    block."""
    run, _ = open_or_create(root, root / "run", sweep_args.parse(()).spec, ("test",))
    run.save(replace(run.state, slo=plain.objective(runs_on_disk.SLO)))
    for block, speed in enumerate(speeds):
        recipe = Recipe(
            blocks=1, loads=(3.0,), settings=(CURRENT,), speed=speed, run_seed=block, run_sd=0.005
        )
        (made,) = (runs_on_disk.write(root / f"b{block}", recipe) / "cells").iterdir()
        summary = read_cell(made).summary
        workload = replace(summary.workload, block=block)
        for name, sentinel in (("sentinel", True), ("other", False)):
            folder = shutil.copytree(made, run.cell(f"{name}--b{block}"))
            changed = replace(
                summary, cell=folder.name, workload=workload, sentinel=sentinel, doubts=(OTHER,)
            )
            codec.write(folder / "summary.json", changed)
    return run


def _codes(cells: list[MeasuredCell]) -> dict[str, list[str]]:
    return {cell.id: [doubt.code for doubt in cell.summary.doubts] for cell in cells}


def test_a_block_on_another_machine_is_doubted_whole(tmp_path: Path) -> None:
    """All its cells, with what to do; those of the other blocks, and other doubts, stay as they are."""
    run = _run(tmp_path, (1.0, 1.0, 0.75))
    (said, *_) = drift_doubts.doubt(run)
    assert "higher in block 2" in said
    assert "find what else ran or throttled" in said
    found = _codes(finished_cells(run.path))
    assert {name for name, codes in found.items() if "drift" in codes} == {"sentinel--b2", "other--b2"}
    assert all(codes[0] == "cut" for codes in found.values())
    run.close()


def test_asking_again_changes_nothing(tmp_path: Path) -> None:
    """The report may be made twice."""
    run = _run(tmp_path, (1.0, 1.0, 0.75))
    first = drift_doubts.doubt(run), _codes(finished_cells(run.path))
    noted = list(journal.read(run.path / "journal.jsonl"))
    assert (drift_doubts.doubt(run), _codes(finished_cells(run.path))) == first
    assert list(journal.read(run.path / "journal.jsonl")) == noted
    run.close()


def test_a_machine_that_stays_the_same_is_left_alone(tmp_path: Path) -> None:
    """Not a byte of a finished cell changes."""
    run = _run(tmp_path, (1.0, 1.0, 1.0))
    before = {path: path.read_bytes() for path in run.path.rglob("summary.json")}
    assert drift_doubts.doubt(run) == []
    assert {path: path.read_bytes() for path in run.path.rglob("summary.json")} == before
    run.close()


def test_a_run_without_sentinels_has_no_drift_to_speak_of(tmp_path: Path) -> None:
    """Nor one that ended before its first cell."""
    run, _ = open_or_create(tmp_path, tmp_path / "run", sweep_args.parse(()).spec, ("test",))
    assert drift_doubts.doubt(run) == []
    run.close()
