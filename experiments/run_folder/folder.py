"""The folder of a run: the one interface between sweep, report, comparison and notebooks. Nobody else builds
its paths."""

import fcntl
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from pydantic import JsonValue

from experiments.errors import UserError
from experiments.run_folder import codec, journal
from experiments.run_folder.doubt import Doubt, DoubtCode
from experiments.run_folder.measured_cell import read_cell
from experiments.run_folder.reading import read_run
from experiments.run_folder.run_state import RunState, RunStatus
from experiments.spec.sweep_spec import YOUNGER_KEYS, SweepSpec, without_younger
from experiments.speed.judge import CellSpeed


class RunDir:
    """One run's folder, locked by this process while it is open.

    `cells/ID` appears by a rename when the cell is whole; until then its files live in `cells/.ID.partial`.
    What a killed sweep left there is kept under `aborted/`.
    """

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self._lock = lock
        self.state = read_run(path)

    # -- where things are
    @property
    def logs(self) -> Path:
        return self._made("logs")

    @property
    def plans(self) -> Path:
        return self._made("plans")

    @property
    def prometheus_data(self) -> Path:
        return self._made("prometheus")

    def cell(self, cell_id: str) -> Path:
        """The folder of a finished cell."""
        return self.path / "cells" / cell_id

    def _made(self, name: str) -> Path:
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        return folder

    # -- the state of the run
    def save(self, state: RunState) -> None:
        """Replace run.json."""
        self.state = state
        codec.write(self.path / "run.json", state)

    def note(self, event: str, facts: journal.Facts | None = None) -> None:
        """Add an event to the journal."""
        journal.append(self.path / "journal.jsonl", event, facts or {})

    def is_done(self, cell_id: str) -> bool:
        """Whether the cell was measured and saved whole."""
        return (self.cell(cell_id) / "summary.json").exists()

    def begin_cell(self, cell_id: str) -> Path:
        """An empty folder for a cell's files; what an earlier try left behind moves to `aborted/`."""
        partial = self.path / "cells" / f".{cell_id}.partial"
        if partial.exists():
            self._set_aside(partial, cell_id)
        partial.mkdir(parents=True)
        return partial

    def finish_cell(self, cell_id: str, facts: journal.Facts) -> None:
        """The cell's folder gets its name; from here on nothing in it changes but the doubts of its
        summary."""
        partial = self.path / "cells" / f".{cell_id}.partial"
        partial.replace(self.cell(cell_id))
        self.note("cell_done", {"cell": cell_id, **facts})

    def doubt_cell(self, cell_id: str, codes: Collection[DoubtCode], doubts: Sequence[Doubt]) -> None:
        """The doubts of these codes in the summary of a finished cell are from now on `doubts`; nothing is
        written where they are already.
        """
        summary = read_cell(self.cell(cell_id)).summary
        others = tuple(doubt for doubt in summary.doubts if doubt.code not in codes)
        if (*others, *doubts) != summary.doubts:
            codec.write(self.cell(cell_id) / "summary.json", replace(summary, doubts=(*others, *doubts)))
            self.note("cell_doubted", {"cell": cell_id, "codes": sorted({doubt.code for doubt in doubts})})

    def judge_speed(self, cell_id: str, speed: CellSpeed) -> None:
        """Write how fast the engine was into the summary of a finished cell; nothing where it says so."""
        summary = read_cell(self.cell(cell_id)).summary
        if summary.speed != speed:
            codec.write(self.cell(cell_id) / "summary.json", replace(summary, speed=speed))

    def repeat_cell(self, cell_id: str, reason: str) -> Path:
        """A finished cell whose numbers must not be used is kept under `aborted/` and counts as not
        measured; returns where it is kept.
        """
        aside = self._set_aside(self.cell(cell_id), cell_id)
        self.note("cell_repeated", {"cell": cell_id, "reason": reason})
        return aside

    def restore_cell(self, cell_id: str, aside: Path) -> None:
        """A cell that was set aside is the measured one after all; the one that took its place is kept under
        `aborted/`."""
        if self.cell(cell_id).exists():
            self._set_aside(self.cell(cell_id), cell_id)
        aside.replace(self.cell(cell_id))
        self.note("cell_restored", {"cell": cell_id})

    def fail_cell(self, cell_id: str, reason: str) -> None:
        """What the cell has so far is kept under `aborted/`."""
        partial = self.path / "cells" / f".{cell_id}.partial"
        if partial.exists():
            self._set_aside(partial, cell_id)
        self.note("cell_failed", {"cell": cell_id, "reason": reason})

    def _set_aside(self, partial: Path, cell_id: str) -> Path:
        aborted = self._made("aborted")
        attempt = sum(1 for _ in aborted.glob(f"{cell_id}.*")) + 1
        aside = aborted / f"{cell_id}.{attempt}"
        partial.replace(aside)
        return aside

    def close(self) -> None:
        """Give up the lock."""
        self._lock.close()


def open_or_create(
    runs: Path, out: Path | None, spec: SweepSpec, command: Sequence[str], *, fresh: bool = False
) -> tuple[RunDir, bool]:
    """The run to work in, and whether it was begun earlier.

    With `out`, that folder. Without, the newest unfinished run of this very spec under `runs`, or a new one.

    Raises:
        UserError: the folder holds a run of another spec, or another process works in it.
    """
    if out is None and not fresh:
        out = _newest_unfinished(runs, spec)
    path = out if out is not None else _new_path(runs, spec)
    if (path / "run.json").exists():
        if fresh:
            raise UserError(f"--fresh with --out {path}: that folder holds a run already; name another one")
        return _reopen(path, spec), True
    _create_folder(path)
    lock = _locked(path)
    codec.write(path / "run.json", _first_state(path, spec, command))
    return RunDir(path, lock), False


def is_begun(runs: Path, out: Path | None, spec: SweepSpec, *, fresh: bool) -> bool:
    """Whether `open_or_create` would go on with a run that was begun earlier."""
    path = _newest_unfinished(runs, spec) if out is None and not fresh else out
    return path is not None and (path / "run.json").exists()


def _first_state(path: Path, spec: SweepSpec, command: Sequence[str]) -> RunState:
    return RunState(
        name=path.name,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        command=tuple(command),
        spec=spec.model_dump(mode="json"),
        spec_digest=spec.digest(),
        status=RunStatus.RUNNING,
    )


def _reopen(path: Path, spec: SweepSpec) -> RunDir:
    run = RunDir(path, _locked(path))
    if run.state.spec_digest != spec.digest():
        run.close()
        changed = _changed_keys(run.state.spec, spec.model_dump(mode="json"))
        said = f"{path} holds a run of another spec (changed: {', '.join(changed) or 'its format'})"
        if changed == ["design.kind"]:
            raise UserError(f"{said}; --design {_kind(run.state.spec)} goes on with it")
        raise UserError(f"{said}; name another --out, or leave it out")
    return run


def _changed_keys(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> list[str]:
    before, now = without_younger(old), without_younger(new)
    return [
        f"{section}.{key}"
        for section, values in now.items()
        for key in values | before.get(section, {})
        if before.get(section, {}).get(key) != values.get(key)
    ]


def _kind(spec: Mapping[str, JsonValue]) -> JsonValue:
    return _section(spec.get("design")).get("kind", YOUNGER_KEYS["design", "kind"])


def _section(values: JsonValue) -> dict[str, JsonValue]:
    return values if isinstance(values, dict) else {}


def _newest_unfinished(runs: Path, spec: SweepSpec) -> Path | None:
    for path in sorted(runs.glob(f"*-{spec.digest()}/run.json"), reverse=True):
        if read_run(path.parent).status is not RunStatus.COMPLETE and not _is_locked(path.parent):
            return path.parent
    return None


def _new_path(runs: Path, spec: SweepSpec) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return runs / f"{stamp}-{spec.digest()}"


def _create_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        # A sweep that was killed in its first moment leaves its lock, or a file not yet renamed.
        if any(not entry.name.startswith((".lock", ".run.json.")) for entry in path.iterdir()):
            raise UserError(f"{path} exists and is not a run; name an empty or a new folder")
    except OSError as error:
        raise UserError(f"cannot make the run folder {path}: {error.strerror}") from None


def _locked(path: Path) -> IO[str]:
    lock = (path / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise UserError(f"another sweep works in {path}; wait for it or name another --out") from None
    os.set_inheritable(lock.fileno(), False)
    return lock


def _is_locked(path: Path) -> bool:
    try:
        _locked(path).close()
    except UserError:
        return True
    return False
