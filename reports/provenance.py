"""How the run was made and how to make it again, as rows for people."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime

from reports.run import Run

LONGEST = 400
SHOWN = (
    "created_utc", "status", "spec_digest", "engine", "slo", "probe", "spec", "provenance", "anchor",
)  # fmt: skip


def rows(run: Run) -> list[tuple[str, str]]:
    """(path, value) of everything recorded about the run, nested names joined by dots."""
    return [row for name in SHOWN for row in _flat(name, getattr(run.state, name, None))]


def _flat(path: str, value: object) -> Iterator[tuple[str, str]]:
    """The rows of one part; none of what is not known."""
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}", inner)
    elif isinstance(value, list | tuple) and any(
        isinstance(one, Mapping) or is_dataclass(one) for one in value
    ):
        for at, inner in enumerate(value):
            yield from _flat(f"{path}[{at}]", inner)
    elif value is not None:
        yield path, _short(value)


def _short(value: object) -> str:
    shown = ", ".join(map(_word, value)) if isinstance(value, list | tuple) else str(value)
    return shown if len(shown) <= LONGEST else shown[:LONGEST] + " …"


def _word(value: object) -> str:
    return f"[{', '.join(map(_word, value))}]" if isinstance(value, list | tuple) else str(value)


def command(run: Run) -> str:
    """The command that made the run, ready to paste; empty when it was not recorded."""
    words = run.state.command if run.state is not None else ()
    return shlex.join(word.replace("\n", " ") for word in words)


def made(run: Run) -> str:
    """When the run began: `2026-01-02 03:04 UTC`; as it stands where it is no ISO time with an offset."""
    given = run.state.created_utc if run.state is not None else ""
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        return given
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at.tzinfo else given


def untold(run: Run) -> str:
    """What the engine does not tell, and why; empty where it tells what engines tell."""
    engine = run.state.engine if run.state is not None else None
    if engine is None:
        return ""
    why = f"Its /metrics {engine.facts.no_metrics}. " if engine.facts.no_metrics else ""
    untold = engine.facts.untold
    return f"{why}Not reported by this engine: {', '.join(untold)}." if untold else why.strip()


def without_metrics(run: Run) -> bool:
    """Whether the engine was asked for its metrics and has none at all."""
    engine = run.state.engine if run.state is not None else None
    return engine is not None and engine.facts.no_metrics is not None


def model(run: Run) -> str:
    """The model that the engine served."""
    engine = run.state.engine if run.state is not None else None
    return (engine.model or "") if engine is not None else ""
