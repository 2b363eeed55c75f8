"""A cell of a run as far as it is known: measured, only planned, or no more than a folder."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.design.cell_purpose import CellPurpose
from experiments.run_folder.cell_summary import CellSummary, SeenLimits, Workload
from experiments.run_folder.run_state import PlannedCell
from experiments.run_folder.whole_run import WholeRun
from experiments.spec.setting import Setting
from reports import labels

ENGINE_UNKNOWN = "engine unknown"


@dataclass(frozen=True, slots=True)
class KnownCell:
    """One cell; `run_engine` is the label of the run's engine, for a cell that names none."""

    id: str
    run_engine: str
    planned: PlannedCell | None
    summary: CellSummary | None

    @property
    def sentinel(self) -> bool:
        """Whether it is none of the matrix but watches for drift."""
        known = self.summary or self.planned
        return known is not None and known.sentinel

    @property
    def purpose(self) -> CellPurpose:
        """What it is measured for; a mere folder is taken for one of the matrix."""
        return self.workload.purpose if self.workload is not None else CellPurpose.MATRIX

    @property
    def workload(self) -> Workload | None:
        """What was offered, or is planned; None of a mere folder."""
        known = self.summary or self.planned
        return known.workload if known is not None else None

    @property
    def setting(self) -> Setting | SeenLimits | None:
        """What was set; of a load run of its own what was seen, and None where that is an engine alone."""
        if self.summary is not None:
            return self.summary.setting or self.summary.limits_seen
        return self.planned.setting if self.planned is not None else None

    @property
    def words(self) -> str:
        """The setting in words; "" where it is not known."""
        if self.setting is None and (self.workload is None or self._planned_with_one):
            return ""
        return labels.setting(self.setting)

    @property
    def engine(self) -> str:
        """The engine that made the numbers."""
        own = self.summary.engine if self.summary is not None else None
        return own.label if own is not None else self.run_engine

    @property
    def _planned_with_one(self) -> bool:
        """Whether it was planned with a setting: then it is no engine alone if its summary holds none."""
        return self.planned is not None and self.planned.setting is not None


def known_cells(whole: WholeRun) -> list[KnownCell]:
    """Every cell of a run: the planned ones in running order, then the others."""
    engine = whole.state.engine.label if whole.state is not None and whole.state.engine is not None else ""
    names = dict.fromkeys([*whole.planned, *whole.summaries, *whole.others])
    return [
        KnownCell(name, engine or ENGINE_UNKNOWN, whole.planned.get(name), whole.summaries.get(name))
        for name in names
    ]
