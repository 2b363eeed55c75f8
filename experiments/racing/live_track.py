"""Stretches on a live stack: measured as a sweep measures, judged from the run folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from experiments.cli.progress import SweepProgress
from experiments.design.cells import Cell
from experiments.design.matrix import Matrix
from experiments.measure import engine_setup, speed_doubts
from experiments.measure.cell import MeasurementContext
from experiments.measure.run_cells import run_cells
from experiments.measure.sweep_stack import SweepStack
from experiments.racing.judged_stretch import JudgedStretch
from experiments.racing.of_cells import StretchReader
from experiments.run_folder.doubt import DoubtCode
from experiments.run_folder.measured_cell import MeasuredCell, finished_cells

LATE = frozenset({DoubtCode.CLIENT_SATURATED})


@dataclass(slots=True)
class LiveTrack:
    """Measures on one start of the engine; what the run folder holds of an earlier, killed one counts.

    Attributes:
        matrix: phases and plans of the cells that are asked for.
        by_clock: whether time is what goes by, as a budget means it; else what the stretches should take, so
            that a machine on which everything takes longer decides as much.
        failed: ids of cells that could not be measured at the last try.
    """

    matrix: Matrix
    context: MeasurementContext
    stack: SweepStack
    progress: SweepProgress
    by_clock: bool = False
    failed: set[str] = field(default_factory=set)
    _earlier_s: float = 0.0
    _again_s: float = 0.0
    _begun_s: float = field(default_factory=time.monotonic)
    _times: dict[str, int] = field(default_factory=dict)
    _reader: StretchReader = field(init=False)
    _seen: list[JudgedStretch] | None = None

    def __post_init__(self) -> None:
        self._reader = StretchReader(list(self.matrix.phases), self.context.slo)
        self._earlier_s = self._expected_s()

    @property
    def spent_s(self) -> float:
        """See `StretchMeasurer`."""
        if self.by_clock:
            return self._earlier_s + time.monotonic() - self._begun_s
        return self._expected_s() + self._again_s

    def _expected_s(self) -> float:
        phases = {str(load): phases.expected_s for load, phases in self.matrix.phases.items()}
        return sum(phases[cell.load] for cell in self._cells() if cell.of_matrix and cell.load in phases)

    def measure(self, cells: Sequence[Cell]) -> None:
        """See `StretchMeasurer`."""
        if not cells:
            return
        run = self.context.run
        for cell in cells:
            self._times[cell.id] = self._times.get(cell.id, 0) + 1
            if run.is_done(cell.id):
                run.repeat_cell(cell.id, "in doubt")
                self._again_s += self.matrix.phases[cell.load].expected_s
        declare(self.context, replace(self.matrix, cells=tuple(cells)))
        expected_s = [self.matrix.phases[cell.load].expected_s for cell in cells]
        self.progress.plan(expected_s, len(finished_cells(run.path)))
        failed, _ = run_cells(cells, self.matrix, self.context, self.stack, self.progress)
        self.failed -= {cell.id for cell in cells}
        self.failed |= {cell.id for cell in failed}
        speed_doubts.doubt(run)
        self._seen = None

    def seen(self) -> list[JudgedStretch]:
        """See `StretchMeasurer`."""
        if self._seen is None:
            cells = self._cells()
            codes = {cell.id: cell.invalid_codes for cell in cells}
            self._seen = [
                replace(stretch, usable=True) if self._as_good_as_it_gets(stretch, codes) else stretch
                for stretch in self._reader.read(cells)
            ]
        return self._seen

    def _as_good_as_it_gets(self, stretch: JudgedStretch, codes: Mapping[str, frozenset[DoubtCode]]) -> bool:
        """A late generator understates every setting alike: where a second try was late as well, a race
        that is a sketch is more than none. The recommendation says so."""
        cell_id = stretch.cell.id
        return codes[cell_id] == LATE and self._times.get(cell_id, 0) > 1

    def _cells(self) -> list[MeasuredCell]:
        knobs = self.stack.knobs
        return [cell for cell in finished_cells(self.context.run.path) if cell.setting.engine == knobs]


def declare(context: MeasurementContext, planned: Matrix) -> None:
    """Add these cells to those that the run was meant to measure."""
    known = {cell.id for cell in context.run.state.cells}
    new = tuple(cell for cell in engine_setup.planned_cells(planned) if cell.id not in known)
    context.run.save(replace(context.run.state, cells=(*context.run.state.cells, *new)))
