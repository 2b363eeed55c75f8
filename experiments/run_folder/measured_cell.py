"""Measured cells, read back from a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.design.cell_purpose import CellPurpose
from experiments.errors import UserError
from experiments.run_folder import codec, record_table
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.doubt import DoubtCode
from experiments.run_folder.old_versions import upgraded_summary
from experiments.spec.setting import Setting
from experiments.stats.goodput import Trace
from loadtests.outcome import Outcome
from loadtests.record import RequestRecord
from loadtests.session_outcome import judge_sessions
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class MeasuredCell:
    """One finished cell: its place in the matrix, its summary, and its records (read when asked for)."""

    id: str
    path: Path
    setting: Setting
    summary: CellSummary

    @property
    def is_sentinel(self) -> bool:
        """Whether the cell is none of the matrix but watches for drift."""
        return self.summary.sentinel

    @property
    def purpose(self) -> CellPurpose:
        """What the cell was measured for."""
        return self.summary.workload.purpose

    @property
    def of_matrix(self) -> bool:
        """Whether settings are chosen by it: no sentinel, no validation, no search for a rate."""
        return not self.is_sentinel and self.purpose is CellPurpose.MATRIX

    @property
    def load(self) -> str:
        """Name of the load, such as `sustained@0.7x`."""
        return self.summary.workload.load or self.summary.workload.scenario

    @property
    def scenario(self) -> str:
        return self.summary.workload.scenario

    @property
    def block(self) -> int:
        return self.summary.workload.block

    @property
    def rate_per_s(self) -> float:
        return self.summary.workload.rate_per_s or 0.0

    @property
    def relative_load(self) -> float | None:
        return self.summary.workload.relative_load

    @property
    def plan_hash(self) -> str:
        return self.summary.workload.plan_hash or ""

    @property
    def arrivals(self) -> tuple[int, str]:
        """What it has in common with the cells of other settings: the block, and the plan itself."""
        return self.block, self.plan_hash

    @property
    def invalid_codes(self) -> frozenset[DoubtCode]:
        """Codes of the doubts that say the numbers must not be used; empty for a valid cell."""
        return self.summary.invalid_codes

    def records(self) -> list[RequestRecord]:
        """Every request of the cell, all phases, in order of arrival."""
        return record_table.read(self.path)

    def trace(self, slo: SLO) -> Trace:
        """The measured arrivals judged under `slo`."""
        return self.trace_of([record for record in self.records() if record.phase == "measure"], slo)

    def trace_of(self, measured: Sequence[RequestRecord], slo: SLO) -> Trace:
        """The same from this cell's measured records, where they were read already."""
        start_s = self.summary.window.start_s
        return Trace(
            due_s=np.array([record.due_s - start_s for record in measured]),
            good=np.array([slo.judge(record) for record in measured], dtype=bool),
            duration_s=self.summary.window.length_s,
            classes=np.array([record.cls for record in measured], dtype=str) if slo.classes else None,
        )

    def session_trace(self, slo: SLO) -> Trace:
        """The sessions that began in the measured window, judged under `slo`, in order of their begin."""
        own = [record for record in self.records() if record.phase == "measure" and record.session >= 0]
        judged = judge_sessions(
            np.array([record.session for record in own], dtype=np.int64),
            np.array([record.due_s for record in own]),
            np.array([np.nan if record.finished_s is None else record.finished_s for record in own]),
            np.array([record.outcome is Outcome.OK for record in own], dtype=bool),
            np.array([slo.judge(record) for record in own], dtype=bool),
            np.array([_within_s(slo, record) for record in own], dtype=float),
        )
        order = np.argsort(judged.start_s, kind="stable")
        of_class = dict(zip((r.session for r in own), (r.cls for r in own), strict=True))
        names = np.array([of_class[number] for number in judged.session[order].tolist()], dtype=str)
        return Trace(
            due_s=judged.start_s[order] - self.summary.window.start_s,
            good=judged.good[order],
            duration_s=self.summary.window.length_s,
            classes=names if slo.classes else None,
        )


def _within_s(slo: SLO, record: RequestRecord) -> float:
    bound_s = slo.of(record.cls).session_s
    return np.nan if bound_s is None else bound_s


def read_cell(path: Path) -> MeasuredCell:
    """The finished cell in a folder.

    Raises:
        UserError: its summary cannot be used, or is none of a sweep's.
    """
    name = f"{path}/summary.json"
    try:
        summary, problems = codec.read_tolerantly(CellSummary, path / "summary.json", upgraded_summary)
    except codec.NotReadableError as error:
        raise UserError(f"{error}; leave the cell out by moving its folder away") from None
    if summary is None:
        raise UserError(f"{problems[-1]} Leave the cell out by moving its folder away")
    if summary.setting is None:
        raise UserError(
            f"{name} names no whole setting: this is a load run of its own, not a cell of a sweep; "
            f"python -m reports {path.parents[1]} shows it"
        )
    return MeasuredCell(path.name, path, summary.setting, summary)


def matrix_cells(run: Path) -> list[MeasuredCell]:
    """The finished cells that settings are chosen by, by name."""
    return [cell for cell in finished_cells(run) if cell.of_matrix]


def finished_cells(run: Path) -> list[MeasuredCell]:
    """Every finished cell of a run, by name."""
    return [read_cell(path.parent) for path in sorted((run / "cells").glob("[!.]*/summary.json"))]
