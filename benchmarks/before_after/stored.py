"""The documents of a run folder as they lie there, and as the code of today reads and writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.before_after.leaves import Leaves, of_document
from experiments.run_folder import codec
from experiments.run_folder.applied_setting import AppliedSetting
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.old_versions import upgraded_run, upgraded_summary
from experiments.run_folder.prediction import Prediction
from experiments.run_folder.recommendation import Recommendation
from experiments.run_folder.run_state import RunState

_DOCUMENTS: dict[str, tuple[type, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "cells/[!.]*/summary.json": (CellSummary, upgraded_summary),
    "cells/[!.]*/cell.json": (AppliedSetting, dict),
    "run.json": (RunState, upgraded_run),
    "predicted.json": (Prediction, dict),
    "recommendation.json": (Recommendation, dict),
}


def as_written_and_as_read(run: Path) -> tuple[Leaves, Leaves]:
    """Every leaf of the run's documents: in the files, and after this code's reader and writer."""
    written: Leaves = {}
    read: Leaves = {}
    for pattern, (kind, upgrade) in _DOCUMENTS.items():
        for path in sorted(run.glob(pattern)):
            name = f"{path.relative_to(run)}:"
            document = json.loads(path.read_text(encoding="utf-8"))
            value, _ = codec.from_json_tolerantly(kind, upgrade(document), str(path))
            written |= of_document(document, name)
            read |= of_document(codec.to_json(value) if value is not None else None, name)
    return written, read
