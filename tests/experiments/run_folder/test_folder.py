"""The run folder: locked, resumable, and never losing what was measured."""

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.cli import sweep_args
from experiments.errors import UserError
from experiments.run_folder import codec, journal
from experiments.run_folder.folder import RunDir, open_or_create
from experiments.run_folder.run_state import RunStatus
from tests.experiments import plain

SPEC = sweep_args.parse(()).spec
OTHER = sweep_args.parse(("--max-active", "3", "--seed", "9")).spec


def _open(runs: Path, out: Path | None = None, fresh: bool = False) -> tuple[RunDir, bool]:
    return open_or_create(runs, out, SPEC, ("test",), fresh=fresh)


def test_an_unfinished_run_of_the_same_spec_is_resumed(tmp_path: Path) -> None:
    """The same command goes on where it was killed."""
    first, resumed = _open(tmp_path)
    first.close()
    again, resumed_again = _open(tmp_path)
    again.close()
    assert (resumed, resumed_again) == (False, True)
    assert again.path == first.path


def test_a_complete_run_is_not_touched(tmp_path: Path) -> None:
    """A sweep that is over begins anew."""
    first, _ = _open(tmp_path, tmp_path / "a")
    first.save(replace(first.state, status=RunStatus.COMPLETE))
    first.close()
    second, resumed = _open(tmp_path)
    second.close()
    assert second.path != first.path
    assert not resumed


def test_another_spec_is_refused_with_what_changed(tmp_path: Path) -> None:
    """Numbers of two specs in one folder could not be told apart."""
    _open(tmp_path, tmp_path / "a")[0].close()
    with pytest.raises(UserError, match=r"changed: gateway\.max_active, load\.seed"):
        open_or_create(tmp_path, tmp_path / "a", OTHER, ("test",))


def test_two_sweeps_do_not_meet_in_one_folder(tmp_path: Path) -> None:
    """The second is told; without --out it goes elsewhere."""
    first, _ = _open(tmp_path, tmp_path / "a")
    with pytest.raises(UserError, match="another sweep works in"):
        _open(tmp_path, tmp_path / "a")
    first.close()


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    """Nobody's files are mixed with ours."""
    (tmp_path / "thesis.tex").write_text("chapter 1")
    with pytest.raises(UserError, match="is not a run"):
        _open(tmp_path, tmp_path)


def test_a_cell_is_whole_or_not_there(tmp_path: Path) -> None:
    """A cell that was cut off is measured again, and what it had is kept."""
    run, _ = _open(tmp_path)
    (run.begin_cell("c") / "records.jsonl").write_text("half\n")
    assert not run.is_done("c")
    folder = run.begin_cell("c")
    assert (run.path / "aborted" / "c.1" / "records.jsonl").read_text() == "half\n"
    codec.write(folder / "summary.json", plain.summary("c"))
    run.finish_cell("c", {})
    run.close()
    assert run.is_done("c")
    assert [event["event"] for event in journal.read(run.path / "journal.jsonl")] == ["cell_done"]


def test_the_journal_survives_a_torn_line(tmp_path: Path) -> None:
    """A crash in the middle of a write costs that line only."""
    path = tmp_path / "journal.jsonl"
    journal.append(path, "one", {})
    with path.open("a") as file:
        file.write('{"event": "two", "na')
    journal.append(path, "three", {})
    assert [event["event"] for event in journal.read(path)] == ["one", "three"]


def test_a_sweep_that_died_in_its_first_moment_can_be_begun_again(tmp_path: Path) -> None:
    """What it left is its lock and perhaps a file that was never renamed; neither is somebody's work."""
    (tmp_path / ".lock").touch()
    (tmp_path / ".run.json.123.tmp").write_text("{")
    run, resumed = _open(tmp_path, tmp_path)
    run.close()
    assert not resumed
    assert run.state.status is RunStatus.RUNNING
