"""The design `model`: predict the whole matrix, measure the few cells that matter, choose."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from experiments.calibration import what_if
from experiments.cli.progress import SweepProgress
from experiments.cli.tune_args import TuneOptions
from experiments.decide.recommendation_text import show as show_recommendation
from experiments.decide.recommended_files import save
from experiments.design import matrix as matrices
from experiments.errors import EnvironmentProblem, UserError
from experiments.measure import engine_setup, interruption, preflight, sweep_stack
from experiments.measure.sweep_stack import SweepStack
from experiments.run_folder import codec
from experiments.run_folder.folder import RunDir, open_or_create
from experiments.run_folder.prediction import EngineTime
from experiments.run_folder.reading import read_run
from experiments.run_folder.run_state import RunStatus, TuneRequest
from experiments.spec.durations import show as show_span
from experiments.tuning import calibration_used, report
from experiments.tuning.calibration_used import Calibrated
from experiments.tuning.cell_runner import CellRunner, TuneContext
from experiments.tuning.fallback import measured_sweep, render
from experiments.tuning.live_measurer import LiveMeasurer
from experiments.tuning.procedure import Effort, NothingMeasuredError, Tuned, tune
from experiments.tuning.task import Task
from experiments.tuning.task_of_run import dry_run, task_of, verification_budget_s
from loadtests.planning.optional_fields import AnswerLengths


def run(options: TuneOptions) -> int:
    """The whole of it; exit code 0, or 1 when something could not be measured.

    Raises:
        UserError, EnvironmentProblem: what was asked for cannot be measured.
    """
    if options.sweep.dry_run:
        print(dry_run(options))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill ends like Ctrl-C
    progress = SweepProgress(options.sweep.quiet)
    sweep = preflight.sharing_as_the_gateway(options.sweep)
    options = replace(options, sweep=preflight.check(sweep, progress.say))
    folder, resumed = _open(options)
    try:
        with progress:
            progress.say(f"{'resuming' if resumed else 'run'} {folder.path}")
            problems = _tune(options, folder, progress)
        status = RunStatus.PARTIAL if problems else RunStatus.COMPLETE
        folder.save(replace(folder.state, status=status))
        print(what_if.kept_or_why_not(folder.path, calibration_used.where(options, folder.path)))
        problems += render(folder.path)
        for problem in problems:
            print(f"headroom: {problem}", file=sys.stderr)
        return 1 if problems else 0
    except KeyboardInterrupt:
        return interruption.stopped(folder)
    finally:
        folder.close()


def _open(options: TuneOptions) -> tuple[RunDir, bool]:
    """The folder given, the newest unfinished one of this very command, or a new one."""
    sweep = options.sweep
    out = sweep.out
    if out is None:
        spec = sweep.spec
        unfinished = [] if sweep.fresh else [
            path.parent
            for path in sorted(sweep.runs.glob(f"*-{spec.digest()}-tune/run.json"), reverse=True)
            if _is_unfinished(path.parent, options)
        ]  # fmt: skip
        out = (
            unfinished[0]
            if unfinished
            else sweep.runs / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{spec.digest()}-tune"
        )
    run, resumed = open_or_create(sweep.runs, out, sweep.spec, sweep.command, fresh=sweep.fresh)
    run.save(replace(run.state, tune=_request(options)))
    return run, resumed


def _is_unfinished(run: Path, options: TuneOptions) -> bool:
    state = read_run(run)
    return state.status is not RunStatus.COMPLETE and state.tune == _request(options)


def _request(options: TuneOptions) -> TuneRequest:
    return TuneRequest(
        model=str(options.model.resolve()) if options.model is not None else None,
        budget_s=options.budget_s,
        traces=options.traces,
        matrix_only=options.matrix_only,
        stair_s=options.stair_s,
        burst_s=options.burst_s,
    )


def _tune(options: TuneOptions, run: RunDir, progress: SweepProgress) -> list[str]:
    """Everything that needs the stack, then what is written; returns what went wrong, in sentences."""
    sweep = options.sweep
    with sweep_stack.running(sweep, run.logs, run.prometheus_data, progress.say) as stack:
        if stack.fields.lengths is AnswerLengths.FREE:
            raise UserError(
                f"{stack.engine.label} does not keep to forced answer lengths, which the model of tune "
                "plays: measure the matrix with python -m experiments.sweep, or say --lengths forced"
            )
        context = _ground(options, run, stack, progress)
        model = calibration_used.obtain(options, run.path, stack.engine, progress.say)
        progress.say(f"model of {model.label}: {model.why}")
        if model.passed is False:
            return measured_sweep(context, model, progress)
        return _verified(options, context, model, progress)


def _ground(options: TuneOptions, run: RunDir, stack: SweepStack, progress: SweepProgress) -> TuneContext:
    """Probe, objective and the grid that a sweep would measure."""
    seen = engine_setup.probe_engine(options.sweep, run, stack, progress)
    slo = engine_setup.settle_objective(options.sweep, run, stack, seen)
    load = options.sweep.spec.load
    context_tokens = stack.engine.facts.max_model_len if load.mix or load.recorded else None
    grid = matrices.build(options.sweep.spec, seen, slo, context_tokens=context_tokens)
    return TuneContext(options, run, stack, seen, slo, grid)


def _verified(
    options: TuneOptions, context: TuneContext, model: Calibrated, progress: SweepProgress
) -> list[str]:
    task = task_of(context, model.model.profile)
    budget_s = verification_budget_s(context, task, model.engine_s)
    progress.say(
        f"{len(task.settings)} settings × {len(task.loads)} loads; {show_span(budget_s)} of engine time to"
        f" verify"
    )
    runner = CellRunner(context, progress)
    measurer = LiveMeasurer(context.run, model.model.profile, runner.measure)
    seed = options.sweep.spec.load.seed
    try:
        tuned = tune(task, model.model, measurer, Effort(options.traces, budget_s, seed=seed), progress.say)
    except NothingMeasuredError:
        raise EnvironmentProblem(
            f"no cell at the decisive load came out valid: see the doubts in {context.run.path}"
        ) from None
    cost = context.cost(model.engine_s, tuned.spent_s, task)
    _write(context, task, tuned, model, cost, measurer)
    return (
        [f"{len(measurer.left_out)} cells could not be used: {', '.join(measurer.left_out)}"]
        if measurer.left_out
        else []
    )


def _write(
    context: TuneContext,
    task: Task,
    tuned: Tuned,
    model: Calibrated,
    cost: EngineTime,
    measurer: LiveMeasurer,
) -> None:
    """recommendation.json, recommended.env, predicted.json; and what they say, printed."""
    doubts = [f"the model was not tried: {model.why}"] if model.passed is None else []
    if measurer.late:
        doubts.append(
            "PROVISIONAL: the load generator was late in some cells (a busy machine?), so goodput is "
            "understated"
        )
    label = context.stack.engine.label
    found = report.recommendation(task, tuned, label, doubts)
    document = report.predicted(task, tuned, model, cost)
    codec.write(context.run.path / "predicted.json", document)
    print(show_recommendation(found, save(context.run.path, found)))
    coverage = document.coverage
    print(
        f"  {coverage.inside} of {coverage.of} measured values lay inside their 90 % prediction intervals; "
        f"engine time {show_span(cost.engine_s_used)}, {cost.ratio:.0%} of the grid on three traces "
        f"({show_span(cost.engine_s_grid)})"
    )
