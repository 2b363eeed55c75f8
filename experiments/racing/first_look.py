"""A first look at the loads that nobody named, on a live stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from experiments.cli.progress import SweepProgress
from experiments.cli.sweep_args import SweepOptions
from experiments.design.probe import Probe
from experiments.measure.cell import MeasurementContext
from experiments.measure.sweep_stack import SweepStack
from experiments.racing import own_loads
from experiments.racing.live_track import LiveTrack
from experiments.racing.own_loads import Attainments
from experiments.racing.plan import RacePlan
from experiments.run_folder.measured_cell import read_cell
from loadtests.recording.summary import class_shares

Replan = Callable[[], RacePlan]


def settled(
    plan: RacePlan, replan: Replan, options: SweepOptions, seen: Probe, context: MeasurementContext,
    stack: SweepStack, progress: SweepProgress,
) -> RacePlan:  # fmt: skip
    """The plan under loads of which one is met by some setting and one missed by some, as far as a few cells
    of the race can tell; `replan`: makes it for the loads in force. Done once in a run, on the first start of
    the engine, and not where the loads are another run's."""
    run, spec = context.run, options.spec
    others = options.like is not None or len(spec.load.workloads) > 1
    if spec.load.are_named or others or run.state.loads_settled:
        return plan
    for _ in range(own_loads.MOST_MOVES):
        loads = run.state.loads
        assert loads is not None, "they are in force"
        looked = _Look(plan, seen, context, stack, progress)
        now = own_loads.moved_after_a_look(loads, context.slo, looked.at)
        if now == loads:
            break
        (left,) = set(loads) - set(now)
        progress.say(f"{left} would tell nothing of these settings: {' and '.join(now)} instead")
        own_loads.leave(run, plan, left)
        run.save(replace(run.state, loads=now))
        plan = replan()
    run.save(replace(run.state, loads_settled=True))
    return plan


class _Look:
    """Cells of a plan's first block, measured as a race would."""

    def __init__(
        self,
        plan: RacePlan,
        seen: Probe,
        context: MeasurementContext,
        stack: SweepStack,
        progress: SweepProgress,
    ) -> None:
        self._plan = plan
        self._context = context
        self._knobs = stack.knobs
        self._settings = own_loads.to_look_at(plan.settings, context.slo, seen)
        self._track = LiveTrack(plan.stretches, context, stack, progress)
        self._progress = progress

    def at(self, load: str, is_enough: Callable[[Attainments], bool]) -> Attainments:
        """Attainments by setting, of valid cells."""
        self._progress.deciding(f"a first look at {load}")
        run = self._context.run
        found: dict[str, float] = {}
        for setting in self._settings:
            cell = own_loads.cell_at(self._plan, setting, load)
            cell = replace(cell, setting=setting.on(self._knobs))
            if not run.is_done(cell.id):
                self._track.measure([cell])
            if not run.is_done(cell.id):
                continue
            measured = read_cell(run.cell(cell.id))
            share = measured.summary.attainment
            if not measured.invalid_codes and share is not None:
                found[setting.name] = self._context.slo.level(share, class_shares(measured.summary.classes))
            if is_enough(found):
                break
        return found
