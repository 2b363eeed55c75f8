"""The trace files of tests/data/traces, and small ones written by a test."""

from __future__ import annotations

from pathlib import Path

from loadtests.planning.trace_files import reading
from loadtests.planning.trace_files.trace import Trace
from loadtests.planning.trace_files.units import TraceUnit

FOLDER = Path(__file__).resolve().parents[2] / "data" / "traces"


def stored(name: str, unit: TraceUnit = TraceUnit.AUTO, seed: int = 1) -> Trace:
    """The stored file, read."""
    return reading.read(FOLDER / name, unit, seed)


def written(folder: Path, content: str | bytes, name: str = "trace.csv", **options: object) -> Trace:
    """A file of this content, read. Options as those of `reading.read`."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return reading.read(path, **options)  # type: ignore[arg-type] # the caller's own keywords
