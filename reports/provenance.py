"""How the run was made and how to make it again, as rows for people."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Any

from reports.folder import part, text
from reports.run import Run

LONGEST = 400


def rows(run: Run) -> list[tuple[str, str]]:
    """(path, value) of everything recorded about the run, nested names joined by dots."""
    info = run.info
    found = [(name, _short(info[name])) for name in ("created_utc", "status", "spec_digest") if name in info]
    for name in ("engine", "slo", "probe", "spec", "provenance", "anchor"):
        found += _flat(name, info.get(name))
    return found


def _flat(path: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [row for name, inner in value.items() for row in _flat(f"{path}.{text(name)}", inner)]
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return [row for at, inner in enumerate(value) for row in _flat(f"{path}[{at}]", inner)]
    if value is None:
        return []
    return [(path, _short(value))]


def _short(value: Any) -> str:
    shown = ", ".join(text(v) for v in value) if isinstance(value, list) else text(value)
    return shown if len(shown) <= LONGEST else shown[:LONGEST] + " …"


def command(run: Run) -> str:
    """The command that made the run, ready to paste; empty when it was not recorded."""
    given = run.info.get("command")
    if isinstance(given, list):
        return shlex.join(text(word).replace("\n", " ") for word in given)
    return text(given)


def made(run: Run) -> str:
    """When the run began: `2026-01-02 03:04 UTC`; as it stands where it is no ISO time with an offset."""
    given = text(run.info.get("created_utc"))
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        return given
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at.tzinfo else given


def model(run: Run) -> str:
    """The model that the engine served."""
    return text(part(run.info, "engine").get("model"))
