"""The append-only history of a run: one JSON object a line, on disk before the call returns."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Facts = Mapping[str, str | int | float | Sequence[str] | Mapping[str, int] | None]
"""What an event says, by name."""


def append(path: Path, event: str, facts: Facts) -> None:
    """Add one event. A line half written by a crash is closed off first, so the next one stays readable."""
    line = json.dumps(
        {"at_utc": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
    )
    with path.open("ab") as file:
        torn = file.tell() > 0 and not _ends_with_newline(path)
        file.write((b"\n" if torn else b"") + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The events in order; lines torn by a crash are skipped."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
