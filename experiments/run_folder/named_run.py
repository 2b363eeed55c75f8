"""Whether what a command was given is a run folder at all: asked before what reads one is imported."""

from __future__ import annotations

from pathlib import Path

from experiments.errors import UserError


def require_run(path: Path) -> None:
    """See that it is the folder of a run of commands such as `sweep`. Raises UserError."""
    if not (path / "run.json").exists():
        raise UserError(f"{path} is not a run folder: it has no run.json")


def require_cells(path: Path) -> None:
    """See that it is the folder of such a run, or of a load run. Raises UserError."""
    if not path.is_dir():
        raise UserError(f"{path} is not a folder: give the folder of a run, such as runs/<name>.")
    if not (path / "run.json").exists() and not (path / "cells").is_dir():
        raise UserError(f"{path} has neither run.json nor cells/: it is not the folder of a run.")
