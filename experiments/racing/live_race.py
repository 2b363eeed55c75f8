"""The race on one start of a real engine: run it, confirm the winner, find the largest rate it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from experiments.cli.progress import SweepProgress
from experiments.cli.sweep_args import SweepOptions
from experiments.design.cell_purpose import CellPurpose
from experiments.design.cells import Cell
from experiments.design.probe import Probe
from experiments.measure import engine_setup, sweep_stack
from experiments.measure.cell import MeasurementContext
from experiments.measure.run_cells import run_cells
from experiments.measure.sweep_stack import SweepStack
from experiments.racing import first_look, live_search, own_loads
from experiments.racing.course import Course
from experiments.racing.expected_order import expected_order
from experiments.racing.live_track import LiveTrack, declare
from experiments.racing.plan import CONFIRMING, RacePlan, announced, in_stretches, one_block, race_plan
from experiments.racing.race import Raced, race
from experiments.racing.story import follow_up, is_over, keep
from experiments.run_folder.folder import RunDir
from experiments.spec.setting import Setting
from experiments.spec.sweep_spec import SweepSpec
from experiments.twin.profile import Profile, named
from loadtests.slo import SLO

PATIENCE = 2
"""Times that a cell which confirms is measured, where the machine was disturbed."""


def run_races(options: SweepOptions, run: RunDir, progress: SweepProgress) -> list[str]:
    """A race on each start of the engine; returns the ids of cells that could not be measured."""
    failed: list[str] = []
    engine_setup.check_loads(options.spec, run)
    calibration = None if options.calibration is None else named(f"calibrated:{options.calibration}")
    for knobs in options.spec.engine.values():
        if is_over(run.path, knobs):
            continue
        with sweep_stack.running(options, run.logs, run.prometheus_data, progress.say, knobs) as stack:
            seen = engine_setup.probe_engine(options, run, stack, progress)
            slo = engine_setup.settle_objective(options, run, stack, seen)
            replan = partial(planned, options, run, seen, slo)
            plan = replan()
            engine_setup.record_start(run, stack)
            context = MeasurementContext(
                run, stack.admin, stack.metrics, slo, stack.engine.label, engine_setup.max_running(stack)
            )
            plan = first_look.settled(plan, replan, options, seen, context, stack, progress)
            progress.say(announced(plan))
            failed += run_race(options.spec, plan, context, stack, progress, calibration)
    return failed


def planned(options: SweepOptions, run: RunDir, seen: Probe, slo: SLO) -> RacePlan:
    """The plan of the race for what the probe saw."""
    spec = one_block(own_loads.in_force(options, run, seen, slo))
    confirming = engine_setup.build(options, run, seen, slo, spec)
    stretches = engine_setup.build(options, run, seen, slo, in_stretches(spec))
    return race_plan(options.spec, confirming, stretches, len(options.spec.engine.values()))


def run_race(
    spec: SweepSpec, plan: RacePlan, context: MeasurementContext, stack: SweepStack, progress: SweepProgress,
    calibration: Profile | None = None,
) -> list[str]:  # fmt: skip
    """Race, confirm, search; returns the ids of cells that could not be measured. With a calibration the
    settings that it expects to be best run first; nothing is decided by it."""
    by_clock = spec.design.budget_s is not None
    track = LiveTrack(plan.stretches, context, stack, progress, by_clock)
    settings = tuple(setting.on(stack.knobs) for setting in plan.settings)
    course = Course(
        settings,
        tuple(dict.fromkeys(cell.load for cell in plan.stretches.cells)),
        plan.race_s,
        lambda load: plan.stretches.phases[load].expected_s,
        seed=spec.load.seed,
        likely=() if calibration is None else expected_order(plan, calibration, context.slo),
        slo=context.slo,
    )
    raced = race(course, track, progress.deciding)
    keep(context.run.path, stack.knobs, course, raced)
    if raced.winner is None:
        return sorted(track.failed)
    winner = course.settings[raced.winner]
    progress.say(_said(course, raced, winner))
    failed = _confirm(winner, course, plan, context, stack, progress)
    live_search.after_race(winner, spec, context, stack, progress, plan.search_s)
    follow_up(context.run.path, stack.knobs)
    return sorted(track.failed | set(failed))


def _said(course: Course, raced: Raced, winner: Setting) -> str:
    others = len(raced.alive) - 1
    rest = f", {others} could not be ruled out" if others else ""
    return f"{winner.name} wins over {len(course.settings) - 1} others{rest}; {raced.ended}"


def _confirm(
    winner: Setting,
    course: Course,
    plan: RacePlan,
    context: MeasurementContext,
    stack: SweepStack,
    progress: SweepProgress,
) -> Sequence[str]:
    """The winner on arrivals that took no part in choosing it, whole windows: the numbers to publish."""
    progress.deciding(f"confirming {winner.name}")
    cells = [Cell(winner, load, CONFIRMING, purpose=CellPurpose.VALIDATION) for load in course.loads]
    todo = [cell for cell in cells if not context.run.is_done(cell.id)]
    for attempt in range(PATIENCE):
        if not todo:
            break
        matrix = replace(plan.confirming, cells=tuple(todo))
        declare(context, matrix)
        progress.plan([plan.confirming.phases[cell.load].expected_s for cell in todo], 0)
        failed, invalid = run_cells(todo, matrix, context, stack, progress)
        if attempt + 1 < PATIENCE:
            for cell in invalid:
                context.run.repeat_cell(cell.id, "invalid")
        todo = [*failed, *invalid]
    return [cell.id for cell in todo if not context.run.is_done(cell.id)]
