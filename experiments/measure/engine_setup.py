"""What every measuring command does once the stack is up: probe the engine, settle the objective, note the
facts."""

import time
from dataclasses import replace

from experiments.cli.progress import SweepProgress
from experiments.cli.sweep_args import SweepOptions
from experiments.design import matrix, objective
from experiments.design.matrix import Matrix
from experiments.design.probe import Probe
from experiments.errors import ObjectiveOutOfReach, UserError
from experiments.measure import probing
from experiments.measure.probing import Target
from experiments.measure.sweep_stack import SweepStack
from experiments.run_folder import provenance
from experiments.run_folder.cell_summary import Workload
from experiments.run_folder.engine_state import EngineStart, EngineState
from experiments.run_folder.folder import RunDir
from experiments.run_folder.reading import read_run
from experiments.run_folder.run_state import Anchor, Objective, PlannedCell, RunStatus
from experiments.spec import workloads
from experiments.spec.sweep_spec import SweepSpec
from experiments.stack import paths
from experiments.stack.engine_facts import EngineFacts
from loadtests.slo import SLO


def probe_engine(options: SweepOptions, run: RunDir, stack: SweepStack, progress: SweepProgress) -> Probe:
    """The probe of this run: made once, then read back, so that a resumed run and further starts of the
    engine keep its rates and windows. An engine that is not probed is warmed up.

    With `--like` the engine is probed (it warms up by it), and the earlier run's probes are in force: the
    same rates, windows, limits and so the same arrival plans as there.
    """
    engine = run.state.engine
    if engine is not None and engine.label != stack.engine.label:
        raise UserError(
            f"{run.path} was begun on {engine.label}, and this is {stack.engine.label}: numbers of two "
            "engines do not mix; start a new run with --fresh"
        )
    context, target = stack.engine.facts.max_model_len, _target(stack)
    prompt_tokens, output_tokens = options.spec.load.typical(context)
    if run.state.probe is not None:
        widest = max(options.spec.gateway.max_active)
        probing.warm_up(target, prompt_tokens, output_tokens, widest, progress.say)
        return run.state.probe
    seen = probing.run(target, prompt_tokens, output_tokens, progress.say)
    others: dict[str, Probe] = {}
    for name in options.spec.load.workloads[1:]:
        progress.say(f"workload {name}:")
        others[name] = probing.run(target, *workloads.typical(name, context), progress.say)
    state = run.state
    if options.like is not None:
        earlier = read_run(options.like)
        assert earlier.probe is not None, "the command line refuses a run that has none"
        state = replace(state, own_probe=seen, like=options.like.name)
        seen, others = earlier.probe, earlier.probes or {}
    run.save(replace(state, probe=seen, probes=others, engine=_engine_state(stack)))
    tpot = "no TPOT" if seen.tpot_s is None else f"TPOT {seen.tpot_s * 1e3:.0f} ms"
    progress.say(
        f"idle: TTFT {seen.ttft_s * 1e3:.0f} ms, {tpot}, E2E {seen.e2e_s:.2f} s; "
        f"capacity about {seen.capacity_per_s:.1f} requests/s"
    )
    return seen


def settle_objective(options: SweepOptions, run: RunDir, stack: SweepStack, seen: Probe) -> SLO:
    """The SLO in force, kept in run.json with what it was scaled from.

    Raises:
        ObjectiveOutOfReach: even the idle engine missed it; the run is over then.
    """
    text, scaled_from = objective.objective(
        options.spec.slo.text, stack.engine.provider.slo_scaled, seen.ttft_s, seen.tpot_s, seen.e2e_s
    )
    slo = options.spec.load.objective(SLO.parse(text))
    run.save(replace(run.state, slo=Objective.of(slo, scaled_from)))
    missed = _out_of_reach(options, stack, slo, seen)
    if missed is not None:
        # Complete, so that the same command given again begins with a probe of its own.
        run.save(replace(run.state, status=RunStatus.COMPLETE))
        raise ObjectiveOutOfReach(str(missed))
    return slo


def _out_of_reach(
    options: SweepOptions, stack: SweepStack, slo: SLO, seen: Probe
) -> objective.OutOfReach | None:
    """What of the objective the idle engine misses; a load class is asked about with its own lengths."""
    for one in options.spec.load.classes:
        typical = workloads.typical(one.workload, stack.engine.facts.max_model_len)
        idle = probing.idle(_target(stack), *typical)
        missed = objective.out_of_reach(slo.of(one.name), idle, one.name)
        if missed is not None:
            return missed
    return None if slo.classes else objective.out_of_reach(slo, seen)


def _target(stack: SweepStack) -> Target:
    engine_at, batch = stack.engine.endpoint, max_running(stack)
    return Target(stack.gateway, engine_at, stack.engine.model, stack.fields, batch)


def check_loads(spec: SweepSpec, run: RunDir) -> None:
    """That a run goes on with the loads it was begun with.

    Raises:
        UserError: they followed from the probe, and now some are named.
    """
    if run.state.loads is not None and spec.load.are_named:
        raise UserError(
            f"{run.path} was begun without naming loads, and runs under {' and '.join(run.state.loads)}; "
            "give no loads to go on with it, or start a new run with --fresh"
        )


def planned(options: SweepOptions, run: RunDir) -> Matrix | None:
    """The matrix of a run that was probed already; None before that."""
    state = run.state
    if state.probe is None or state.slo is None:
        return None
    return build(options, run, state.probe, state.slo.slo)


def build(options: SweepOptions, run: RunDir, seen: Probe, slo: SLO, spec: SweepSpec | None = None) -> Matrix:
    """The matrix of this run, its sentinel and the engine's further starts included; `spec`: in place of the
    run's own."""
    engine = run.state.engine
    facts = engine.facts if engine is not None else EngineFacts()
    return matrix.build(
        options.spec if spec is None else spec,
        seen,
        slo,
        probes=run.state.probes or {},
        context_tokens=facts.max_model_len,
        sentinel=True,
        engine_start_s=facts.ready_after_s or 0.0,
    )


def record(run: RunDir, stack: SweepStack, plan: Matrix) -> None:
    """What is planned, and where: into run.json and the journal, with each start of the engine."""
    run.save(replace(run.state, cells=planned_cells(plan), expected_s=plan.expected_s))
    record_start(run, stack)


def record_start(run: RunDir, stack: SweepStack) -> None:
    """Where is measured, into run.json and the journal: of a run whose cells follow from what it finds."""
    state = replace(run.state, status=RunStatus.RUNNING)
    if state.provenance is None:
        made = provenance.collect(paths.checkout())
        state = replace(state, provenance=made, anchor=Anchor(time.time(), time.monotonic()))
    knobs, engine = stack.knobs.given(), _engine_state(stack)
    start = EngineStart(
        knobs, engine.provider, engine.label, engine.model, engine.url, engine.facts, engine.gateway_url
    )
    run.save(replace(state, engine_starts=(*state.engine_starts, start)))
    run.note("stack_ready", {"engine": engine.label, "knobs": knobs, "cells": len(state.cells)})


def planned_cells(plan: Matrix) -> tuple[PlannedCell, ...]:
    """The matrix as run.json has it, to show what was planned also when only a part was measured."""
    return tuple(
        PlannedCell(
            id=cell.id,
            setting=cell.setting,
            workload=Workload.planned(cell.load, cell.block, purpose=cell.purpose),
            sentinel=cell.sentinel,
        )
        for cell in plan.cells
    )


def _engine_state(stack: SweepStack) -> EngineState:
    engine = stack.engine
    return EngineState(
        engine.provider.name,
        engine.label,
        engine.model,
        engine.url,
        engine.facts,
        gateway_url=stack.gateway.url,
    )


def max_running(stack: SweepStack) -> int | None:
    """The engine's largest batch; None where it is not known."""
    return stack.engine.facts.max_num_seqs
