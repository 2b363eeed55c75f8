"""The search for the largest rate of one setting, on a live stack."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from experiments.cli.progress import SweepProgress
from experiments.design import matrix
from experiments.design.cell_purpose import CellPurpose
from experiments.design.probe import Probe
from experiments.measure import speed_doubts
from experiments.measure.cell import MeasurementContext
from experiments.measure.run_cells import run_cells
from experiments.measure.sweep_stack import SweepStack
from experiments.racing.live_track import declare
from experiments.racing.plan import in_stretches
from experiments.racing.steady_stretches import stretches_of
from experiments.run_folder.measured_cell import finished_cells
from experiments.run_folder.relative_speed import usual_speed
from experiments.spec.setting import Setting
from experiments.spec.sweep_spec import SweepSpec
from experiments.stats.class_capacity import next_rate_under
from experiments.stats.stretch import Stretch
from loadtests.planning.rate import RECORDED
from loadtests.slo import SLO

PRECISION = 0.07
"""Half of the interval's width, part of the rate, at which a search ends."""
PATIENCE = 3
"""Cells in a row that may come out useless: the machine is too busy."""


def search(
    known: Callable[[], Sequence[Stretch]],
    measure: Callable[[float], bool],
    slo: SLO,
    start_per_s: float,
    precision: float,
) -> None:
    """Measure rate after rate until the interval is narrow enough, or `measure` says that there is no
    time."""
    useless = 0
    while useless < PATIENCE:
        before = known()
        rate_per_s = next_rate_under(before, slo, start_per_s, precision)
        if rate_per_s is None or not measure(rate_per_s):
            return
        useless = useless + 1 if len(known()) == len(before) else 0


def start_of(probe: Probe, setting: Setting) -> float:
    """A rate to begin with: 0.7 of what the probe's staircase has at this many in flight."""
    return float(f"{0.7 * probe.rate_with(setting.limits.max_active):.3g}")


def after_race(
    winner: Setting,
    spec: SweepSpec,
    context: MeasurementContext,
    stack: SweepStack,
    progress: SweepProgress,
    search_s: float,
) -> None:
    """The largest rate that the winner takes, in about `search_s` seconds of stretches; what the race and its
    confirmation saw at steady loads counts."""
    run, probe = context.run, context.run.state.probe
    if probe is None or len(spec.load.workloads) > 1:
        return  # a rate is one of a workload
    progress.deciding(f"the largest rate that {winner.name} takes")

    def known() -> Sequence[Stretch]:
        every = [cell for cell in finished_cells(run.path) if not cell.is_sentinel]
        mine = [cell for cell in every if cell.setting == winner]
        return stretches_of(mine, context.slo, usual_speed(every))

    def measure(rate_per_s: float) -> bool:
        searched = [cell for cell in finished_cells(run.path) if cell.purpose is CellPurpose.CAPACITY]
        spent_s = sum(cell.summary.window.end_s for cell in searched if cell.setting == winner)
        return measure_rate(rate_per_s, winner, spec, context, stack, progress, search_s - spent_s)

    search(known, measure, context.slo, start_of(probe, winner), PRECISION)


def measure_rate(
    rate_per_s: float, setting: Setting, spec: SweepSpec, context: MeasurementContext, stack: SweepStack,
    progress: SweepProgress, left_s: float = math.inf,
) -> bool:  # fmt: skip
    """One more trace of a steady load at that rate, or of what was recorded at so many times its own; False
    when the seconds that are left do not hold it."""
    run, probe = context.run, context.run.state.probe
    assert probe is not None, "rates refer to it"
    cells = finished_cells(run.path)
    block = 1 + max((c.block for c in cells if c.rate_per_s == rate_per_s), default=-1)
    scenario = RECORDED if spec.load.is_recorded else "sustained"
    load = spec.load.model_copy(update={"loads": (f"{scenario}@{rate_per_s:g}",)})
    design = spec.design.model_copy(update={"blocks": 1, "budget_s": None, "sentinel": False})
    one = in_stretches(spec.model_copy(update={"load": load, "design": design}))
    engine = run.state.engine
    context_tokens = None if engine is None else engine.facts.max_model_len
    planned = matrix.build(one, probe, context.slo, context_tokens=context_tokens)
    cell = replace(planned.cells[0], setting=setting, block=block, purpose=CellPurpose.CAPACITY)
    expected_s = planned.phases[cell.load].expected_s
    if expected_s > left_s:
        return False
    planned = replace(planned, cells=(cell,))
    declare(context, planned)
    progress.plan([expected_s], len(cells))
    run_cells([cell], planned, context, stack, progress)
    speed_doubts.doubt(run)
    return True
