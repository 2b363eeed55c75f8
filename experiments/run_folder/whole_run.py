"""A run folder as a whole, whatever state it is in: for those who show it. A file that cannot be used becomes
a sentence, never a traceback."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from experiments.run_folder import codec, load_run
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.named_run import require_cells
from experiments.run_folder.old_versions import upgraded_run, upgraded_summary
from experiments.run_folder.prediction import Prediction
from experiments.run_folder.race_story import RaceStory
from experiments.run_folder.recommendation import Recommendation
from experiments.run_folder.run_state import PlannedCell, RunState
from experiments.run_folder.what_if import WhatIf
from loadtests.recording.load_run import LoadRun

T = TypeVar("T")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class WholeRun:
    """What a run folder holds, as far as it can be used."""

    path: Path
    state: RunState | None
    planned: dict[str, PlannedCell]
    """the matrix by cell id, in running order"""
    summaries: dict[str, CellSummary]
    """measured cells by id"""
    others: tuple[str, ...]
    """cells on disk that are neither planned nor measured"""
    recommendation: Recommendation | None
    prediction: Prediction | None
    race: RaceStory | None
    what_if: WhatIf | None
    problems: tuple[str, ...]
    """what could not be read, a sentence each"""


def read_whole_run(path: Path) -> WholeRun:
    """Read a run folder: of a sweep, of `tune` or `capacity`, or a load run of its own.

    Raises:
        UserError: the path is no folder, or holds neither run.json nor a cell.
    """
    require_cells(path)
    cells = path / "cells"
    reader = _Reader(path)
    load_runs = _load_runs(reader, cells) if not (path / "run.json").exists() else {}
    state = _state(reader, load_runs)
    planned = {cell.id: cell for cell in state.cells if _is_name(cell.id)} if state is not None else {}
    summaries = {name: load_run.summary_of(run, name) for name, run in load_runs.items()}
    names = _on_disk(cells)
    for name in [*planned, *(name for name in names if name not in planned)]:
        if name in names and name not in summaries:
            summary = _summary(reader, name, planned.get(name))
            if summary is not None:
                summaries[name] = summary
    unmeasured = [name for name in dict.fromkeys([*planned, *names]) if name not in summaries]
    if unmeasured:
        shown = ", ".join(unmeasured[:_SHOWN]) + (" …" if len(unmeasured) > _SHOWN else "")
        all_cells = len(unmeasured) + len(summaries)
        reader.problems.append(f"{len(unmeasured)} of {all_cells} cells have no summary yet: {shown}.")
    return WholeRun(
        path=path,
        state=state,
        planned=planned,
        summaries=summaries,
        others=tuple(name for name in unmeasured if name not in planned),
        recommendation=reader.document(Recommendation, "recommendation.json"),
        prediction=reader.document(Prediction, "predicted.json"),
        race=reader.document(RaceStory, "race.json"),
        what_if=reader.document(WhatIf, "what_if.json"),
        problems=tuple(reader.problems),
    )


@dataclass(slots=True)
class _Reader:
    root: Path
    problems: list[str] = field(default_factory=list)

    def document(
        self,
        kind: type[T],
        relative: str,
        upgrade: Callable[[Mapping[str, Any]], dict[str, Any]] = dict,
        *,
        required: bool = False,
    ) -> T | None:
        """One document; None where it is missing or cannot be used."""
        try:
            document = upgrade(_printable(codec.stored(self.root / relative)))
            value, problems = codec.from_json_tolerantly(kind, document, relative)
        except FileNotFoundError:
            if required:
                self.problems.append(f"{relative} is missing.")
            return None
        except codec.NotReadableError as error:
            self.problems.append(f"{error}".replace(f"{self.root}/", "") + ".")
            return None
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{relative} cannot be read: {type(error).__name__}.")
            return None
        self.problems += problems
        self._check_version(relative, document)
        return value

    def _check_version(self, relative: str, document: Mapping[str, Any]) -> None:
        version = document.get(codec.VERSION_KEY, codec.SCHEMA_VERSION)
        if version == codec.SCHEMA_VERSION:
            return
        age = "older" if isinstance(version, int) and version < codec.SCHEMA_VERSION else "newer or unknown"
        self.problems.append(
            f"{relative} has schema version {version!r}, {age} than the {codec.SCHEMA_VERSION} this report "
            "knows: what it does not know is left out."
        )


def _state(reader: _Reader, load_runs: Mapping[str, LoadRun]) -> RunState | None:
    for name, run in load_runs.items():
        return load_run.state_of(run, reader.root.name, name)
    defaults = {"name": reader.root.name, "created_utc": "", "command": [], "spec": {}, "status": "running"}
    return reader.document(
        RunState, "run.json", lambda found: {**defaults, **upgraded_run(found)}, required=True
    )


def _load_runs(reader: _Reader, cells: Path) -> dict[str, LoadRun]:
    """Load runs of their own have no run.json: what they were asked stands beside how they ended."""
    runs = {}
    for path in sorted(cells.glob("[!.]*/load.json")):
        if (path.parent / "summary.json").exists():
            continue
        try:
            runs[path.parent.name] = load_run.read(path)
        except codec.NotReadableError as error:
            reader.problems.append(f"{error}".replace(f"{reader.root}/", "") + ".")
    return runs


def _summary(reader: _Reader, name: str, planned: PlannedCell | None) -> CellSummary | None:
    known: dict[str, Any] = {}
    if planned is not None:
        stored = codec.to_json(planned)
        known = {key: stored[key] for key in ("setting", "workload", "sentinel")}
    if not (reader.root / "cells" / name / "summary.json").exists():
        return None
    return reader.document(
        CellSummary,
        f"cells/{name}/summary.json",
        lambda found: {**known, **upgraded_summary(found), "cell": name},
    )


def _on_disk(cells: Path) -> list[str]:
    """Cells that have a folder; a dot in front marks one that is still being written."""
    if not cells.is_dir():
        return []
    return sorted(path.name for path in cells.iterdir() if path.is_dir() and not path.name.startswith("."))


def _is_name(cell: str) -> bool:
    """Whether a cell's id is a plain folder name, so that none can point outside the run."""
    return bool(cell) and Path(cell).name == cell and cell not in (".", "..")


def _printable(value: Any) -> Any:
    """The document without control characters, which a page or a terminal would obey."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in value)
    if isinstance(value, list):
        return [_printable(entry) for entry in value]
    if isinstance(value, dict):
        return {_printable(key): _printable(entry) for key, entry in value.items()}
    return value
