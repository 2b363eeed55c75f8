"""The file of all blocks: one JSON line each, only ever added to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.lanes.real.windows import Window
from experiments.run_folder import provenance

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Line:
    """One block. changed: whether files differed from the commit; seconds: of a window."""

    part: str
    when: str
    commit: str | None
    changed: bool | None
    cpu: str
    engine: str
    seconds: float
    capacity_per_s: float
    windows: dict[str, Window]


_LINE = TypeAdapter(Line)


def keep(
    file: Path, part: str, engine: str, seconds: float, capacity_per_s: float, windows: Mapping[str, Window]
) -> None:
    """Adds a block, with where it was made."""
    made, when = provenance.collect(ROOT), time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    line = Line(
        *(part, when, made.commit, made.uncommitted_changes, str(made.cpu)),
        *(engine, seconds, capacity_per_s, dict(windows)),
    )
    with file.open("ab") as out:
        out.write(_LINE.dump_json(line) + b"\n")


def read(file: Path, part: str) -> list[Line]:
    """The blocks of a part; none where there is no file yet."""
    if not file.exists():
        return []
    lines = [_LINE.validate_json(text) for text in file.read_bytes().splitlines()]
    return [line for line in lines if line.part == part]
