"""Reading measured cells back from a run folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from experiments.errors import UserError
from experiments.files import read_json
from experiments.run_folder.folder import SCHEMA_VERSION
from experiments.spec.setting import Setting
from experiments.stats.goodput import Trace
from loadtests.record import RequestRecord
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class MeasuredCell:
    """One finished cell: its place in the matrix, its summary and its records (read when asked for)."""

    id: str
    path: Path
    summary: dict[str, Any]

    @property
    def setting(self) -> Setting:
        """What was in force.

        Raises:
            UserError: the cell names no whole setting: it is a load run of its own, or damaged.
        """
        try:
            return Setting.from_json(self.summary["setting"])
        except ValueError:
            raise UserError(
                f"{self.path}/summary.json names no whole setting: this is a load run of its own, not a cell "
                f"of a sweep; python -m reports {self.path.parents[1]} shows it"
            ) from None

    @property
    def is_sentinel(self) -> bool:
        """Whether the cell is none of the matrix but watches for drift."""
        return bool(self.summary.get("sentinel"))

    @property
    def load(self) -> str:
        """Name of the load, such as `sustained@0.7x`."""
        return str(self.summary["workload"]["load"])

    @property
    def scenario(self) -> str:
        return str(self.summary["workload"]["scenario"])

    @property
    def block(self) -> int:
        return int(self.summary["workload"]["block"])

    @property
    def rate_per_s(self) -> float:
        return float(self.summary["workload"]["rate_per_s"])

    @property
    def relative_load(self) -> float | None:
        value = self.summary["workload"]["relative_load"]
        return None if value is None else float(value)

    @property
    def invalid_codes(self) -> frozenset[str]:
        """Codes of the doubts that say the numbers must not be used; empty for a valid cell."""
        return frozenset(doubt["code"] for doubt in self.summary["doubts"] if doubt["severity"] == "invalid")

    def records(self) -> list[RequestRecord]:
        """Every request of the cell, all phases, in order of arrival."""
        rows = pq.read_table(self.path / "records.parquet").to_pylist()
        return [RequestRecord.from_json(row) for row in rows]

    @property
    def plan_hash(self) -> str:
        return str(self.summary["workload"]["plan_hash"])

    def trace(self, slo: SLO) -> Trace:
        """The measured arrivals judged under `slo`."""
        return self.trace_of([record for record in self.records() if record.phase == "measure"], slo)

    def trace_of(self, measured: Sequence[RequestRecord], slo: SLO) -> Trace:
        """The same from this cell's measured records, where they were read already."""
        start = float(self.summary["window"]["start_s"])
        end = float(self.summary["window"]["end_s"])
        return Trace(
            due_s=np.array([record.due_s - start for record in measured]),
            good=np.array([slo.judge(record) for record in measured], dtype=bool),
            duration_s=end - start,
        )


def read_run(run: Path) -> dict[str, Any]:
    """run.json of a run folder.

    Raises:
        UserError: it is not a run folder, or one of another version.
    """
    try:
        state = read_json(run / "run.json")
    except FileNotFoundError:
        raise UserError(f"{run} is not a run folder: it has no run.json") from None
    except ValueError:
        raise UserError(f"{run}/run.json is damaged") from None
    if state.get("schema_version") != SCHEMA_VERSION:
        raise UserError(
            f"{run} is of format {state.get('schema_version')}; this version reads format {SCHEMA_VERSION}"
        )
    return dict(state)


def matrix_cells(run: Path) -> list[MeasuredCell]:
    """The finished cells of a run's matrix, by name; without its sentinels."""
    return [cell for cell in finished_cells(run) if not cell.is_sentinel]


def finished_cells(run: Path) -> list[MeasuredCell]:
    """Every finished cell of a run, by name."""
    found = sorted((run / "cells").glob("[!.]*/summary.json"))
    return [MeasuredCell(path.parent.name, path.parent, read_json(path)) for path in found]
