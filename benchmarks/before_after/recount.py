"""A cell's counts, rates and latencies, made again from its raw records and compared with what is stored."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.before_after.leaves import Leaves, of_document
from experiments.run_folder.measured_cell import MeasuredCell, finished_cells, read_run
from loadtests.planning import plan as plans
from loadtests.recording.summary import summarise
from loadtests.slo import SLO

_OF_LATENCY = ("n", "mean", "value")
"""Intervals are left out: some of a summary's are those of the repeats, which one cell does not know."""


def stored_and_recounted(run: Path) -> tuple[Leaves, Leaves]:
    """What the summaries of a run say, and what its records say; both empty where the run has no objective or
    no finished cell.
    """
    slo = read_run(run).get("slo")
    stored: Leaves = {}
    again: Leaves = {}
    if slo is None:
        return stored, again
    for cell in finished_cells(run):
        path = f"records of {cell.id}:"
        summary = json.loads((cell.path / "summary.json").read_text(encoding="utf-8"))
        stored |= _countable(of_document(summary, path), path)
        again |= _countable(of_document(_recount(cell, SLO.parse(slo["text"])), path), path)
    return stored, again


def _recount(cell: MeasuredCell, slo: SLO) -> object:
    plan = plans.load(cell.path / "plan.json")
    return summarise(cell.records(), plan, slo, phase="measure")


def _countable(leaves: Leaves, path: str) -> Leaves:
    kept = tuple(f"{path}/{part}" for part in ("counts", "rates", "attainment"))
    latency = f"{path}/latency"
    return {
        name: value
        for name, value in leaves.items()
        if name.startswith(kept) or (name.startswith(latency) and name.rpartition("/")[2] in _OF_LATENCY)
    }
