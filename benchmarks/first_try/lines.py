"""The file of all runs: one JSON line each, only ever added to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.first_try.conditions import Condition

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "evidence" / "first-try.jsonl"


@dataclass(frozen=True, slots=True)
class CellLine:
    """One measurement of a cell; one that was measured again has a line for each.

    Attributes:
        setting, load: as `from_folder` names them, alike in all runs.
        kept: whether its numbers count in the run; not when it was measured again.
        start_s, end_s: of the measured window, from the engine's being ready.
        index: of the engine's speed, as the run has it; above 1: slower.
        flagged: whether the speed of the engine says that the cell was disturbed (doubt `disturbed`).
        doubts: all of their codes.
        planted_ratio: share of the window in which the planted loop was busy, from the schedule.
        foreign_engine_ratio, foreign_harness_ratio: share of those cores that others used, ours and the
            planted loop apart, as the runner itself saw it.
    """

    id: str
    setting: str
    load: str
    kept: bool
    start_s: float
    end_s: float
    attainment: float | None
    index: float | None
    flagged: bool
    doubts: tuple[str, ...]
    planted_ratio: float
    foreign_engine_ratio: float | None
    foreign_harness_ratio: float | None

    @property
    def is_flagged(self) -> bool:
        """Whether the run says that the cell was disturbed, by the engine's speed or by its witness."""
        return self.flagged or "others_busy" in self.doubts


@dataclass(frozen=True, slots=True)
class RunLine:
    """One sweep.

    Attributes:
        commit: of the checkout; `changed`: whether files differed from it.
        seed: of the planted stretches.
        ready_s: from the start to the engine's being ready.
        wall_s: from then to the end of the command.
        recommended: the setting's name; None where the run gave none.
        inseparable: names of those that the run cannot tell from it.
        foreign_engine_ratio, foreign_harness_ratio: as of a cell, from the engine's being ready to the end.
    """

    commit: str
    changed: bool
    condition: Condition
    seed: int
    started_utc: str
    folder: str
    engine: str | None
    cores: int
    ready_s: float
    wall_s: float
    exit_code: int
    capacity_per_s: float | None
    recommended: str | None
    inseparable: tuple[str, ...]
    foreign_engine_ratio: float | None
    foreign_harness_ratio: float | None
    cells: tuple[CellLine, ...]


_LINE = TypeAdapter(RunLine)


def read(path: Path = FILE) -> list[RunLine]:
    """All runs, in the order in which they were made; a last line that was cut off is no run."""
    if not path.exists():
        return []
    *whole, _cut_off = path.read_text(encoding="utf-8").split("\n")
    return [_LINE.validate_json(line) for line in whole if line]


def append(run: RunLine, path: Path = FILE) -> None:
    """Add a run; a line that was cut off before it is ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    kept = text[: text.rfind("\n") + 1]
    path.write_text(kept + _LINE.dump_json(run).decode() + "\n", encoding="utf-8")


def of(condition: Condition, runs: Sequence[RunLine]) -> list[RunLine]:
    """Those of one condition."""
    return [run for run in runs if run.condition is condition]
