"""The documents of a run folder as they lie there, and as the code of today reads and writes them."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.before_after.leaves import Leaves, of_document

_DOCUMENTS = ("cells/[!.]*/summary.json", "cells/[!.]*/cell.json", "run.json", "predicted.json")


def as_written_and_as_read(run: Path) -> tuple[Leaves, Leaves]:
    """Every leaf of the run's documents: in the files, and after this code's reader and writer."""
    written: Leaves = {}
    read: Leaves = {}
    for pattern in _DOCUMENTS:
        for path in sorted(run.glob(pattern)):
            name = f"{path.relative_to(run)}:"
            document = json.loads(path.read_text(encoding="utf-8"))
            written |= of_document(document, name)
            read |= of_document(through_reader_and_writer(document), name)
    return written, read


def through_reader_and_writer(document: object) -> object:
    """The document as this code writes what it has read: itself, while reading declares no types."""
    return document
