"""What `tune` stands on once the stack is up, and measuring chosen cells there with the sweep's own
machinery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from experiments.cli.progress import SweepProgress
from experiments.cli.tune_args import TuneOptions
from experiments.design.cells import Cell
from experiments.design.matrix import Matrix
from experiments.design.probe import Probe
from experiments.measure import engine_setup
from experiments.measure.cell import MeasurementContext
from experiments.measure.run_cells import run_cells
from experiments.measure.sweep_stack import SweepStack
from experiments.run_folder.folder import RunDir
from experiments.run_folder.prediction import EngineTime
from experiments.tuning.task import Task
from loadtests.slo import SLO

GRID_TRACES = 3
_PROBE_STEP_S = 4.0


@dataclass(frozen=True, slots=True)
class TuneContext:
    """The running stack, what the probe saw, the objective, and `grid`: what a sweep of the spec would
    measure (one block)."""

    options: TuneOptions
    run: RunDir
    stack: SweepStack
    probe: Probe
    slo: SLO
    grid: Matrix

    @property
    def probe_s(self) -> float:
        """About what the probe took of the engine."""
        return _PROBE_STEP_S * (1 + len(self.probe.steps))

    @property
    def measured_by(self) -> MeasurementContext:
        """The running stack as a measurement sees it."""
        stack = self.stack
        return MeasurementContext(
            self.run,
            stack.admin,
            stack.metrics,
            self.slo,
            stack.engine.label,
            engine_setup.max_running(stack),
        )

    def grid_s(self, task: Task) -> float:
        """Engine time of the whole matrix on three traces, seconds; without what was derived and added."""
        settings = len({cell.setting for cell in self.grid.cells})
        each_s = sum(self.grid.phases[load].expected_s for load in task.loads)
        return self.probe_s + GRID_TRACES * settings * each_s

    def cost(self, calibration_s: float, verification_s: float, task: Task) -> EngineTime:
        """Engine seconds used, and those of the grid."""
        used_s, grid_s = self.probe_s + calibration_s + verification_s, self.grid_s(task)
        return EngineTime(used_s, grid_s, used_s / grid_s, self.probe_s, calibration_s, verification_s)


class CellRunner:
    """Measures cells as they come; the run folder's list of cells grows with them."""

    def __init__(self, context: TuneContext, progress: SweepProgress) -> None:
        self._context = context
        self._progress = progress
        self._planned: dict[str, Cell] = {}

    def measure(self, planned: Sequence[Cell]) -> None:
        """Measure what is not on disk yet of `planned`; what failed or came out invalid once more."""
        context, progress = self._context, self._progress
        self._planned |= {cell.id: cell for cell in planned}
        matrix = replace(context.grid, cells=tuple(self._planned.values()))
        engine_setup.record(context.run, context.stack, matrix)
        stack, measured_by = context.stack, context.measured_by
        for attempt in range(2):
            todo = [cell for cell in planned if not context.run.is_done(cell.id)]
            if not todo:
                return
            progress.plan(
                [matrix.phases[cell.load].expected_s for cell in todo], len(self._planned) - len(todo)
            )
            _, invalid = run_cells(todo, matrix, measured_by, stack, progress)
            if attempt == 0:
                for cell in invalid:
                    context.run.repeat_cell(cell.id, "invalid")
