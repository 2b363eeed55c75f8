"""A cell's counts, rates and latencies, made again from its raw records and compared with what is stored."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.before_after.leaves import Leaves, of_document
from loadtests.planning import plan as plans
from loadtests.record import RequestRecord
from loadtests.recording import table
from loadtests.recording.summary import summarise
from loadtests.recording.table import Table
from loadtests.slo import SLO

_OF_LATENCY = ("n", "mean", "value")
"""Intervals are left out: some of a summary's are those of the repeats, which one cell does not know."""


def stored_and_recounted(run: Path) -> tuple[Leaves, Leaves]:
    """What the summaries of a run say, and what its records say; both empty where the run has no objective or
    no finished cell.
    """
    slo = json.loads((run / "run.json").read_text(encoding="utf-8")).get("slo")
    stored: Leaves = {}
    again: Leaves = {}
    if slo is None:
        return stored, again
    for path in sorted(run.glob("cells/[!.]*/summary.json")):
        cell = path.parent
        name = f"records of {cell.name}:"
        stored |= _countable(of_document(json.loads(path.read_text(encoding="utf-8")), name), name)
        plan = plans.load(cell / "plan.json")
        found = summarise(_records(cell), plan, SLO.parse(slo["text"]), phase="measure")
        again |= _countable(of_document(_plain(found), name), name)
    return stored, again


def _plain(found: object) -> object:
    """A summary as a document, whether its type is declared or not."""
    return asdict(found) if is_dataclass(found) and not isinstance(found, type) else found


def _records(cell: Path) -> list[RequestRecord] | Table:
    """Of a cell of a sweep, or of a load run of its own."""
    if (cell / "records.parquet").exists():
        rows = pq.read_table(cell / "records.parquet").to_pylist()
        return [RequestRecord.from_json(row) for row in rows]
    return table.read(cell / "records.jsonl")


def _countable(leaves: Leaves, path: str) -> Leaves:
    kept = tuple(f"{path}/{part}" for part in ("counts", "rates", "attainment"))
    latency = f"{path}/latency"
    return {
        name: value
        for name, value in leaves.items()
        if name.startswith(kept) or (name.startswith(latency) and name.rpartition("/")[2] in _OF_LATENCY)
    }
