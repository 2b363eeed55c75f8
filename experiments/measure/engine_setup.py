"""What every measuring command does once the stack is up: probe the engine, settle the objective, note the
facts."""

import time
from typing import Any

from experiments.cli.progress import SweepProgress
from experiments.cli.sweep_args import SweepOptions
from experiments.design import matrix, objective
from experiments.design.matrix import Matrix
from experiments.design.probe import Probe
from experiments.errors import UserError
from experiments.measure import probing
from experiments.measure.probing import Target
from experiments.measure.sweep_stack import SweepStack
from experiments.run_folder import provenance
from experiments.run_folder.folder import RunDir
from experiments.run_folder.measured_cell import read_run
from experiments.spec import workloads
from experiments.stack import paths
from experiments.stack.engine_facts import EngineFacts
from loadtests.slo import SLO


def probe_engine(options: SweepOptions, run: RunDir, stack: SweepStack, progress: SweepProgress) -> Probe:
    """The probe of this run: made once, then read back, so that a resumed run and further starts of the
    engine keep its rates and windows. An engine that is not probed is warmed up.

    With `--like` the engine is probed (it warms up by it), and the earlier run's probes are in force: the
    same rates, windows, limits and so the same arrival plans as there.
    """
    engine = run.state["engine"]
    if engine is not None and engine["label"] != stack.engine.label:
        raise UserError(
            f"{run.path} was begun on {engine['label']}, and this is {stack.engine.label}: numbers of "
            "two engines do not mix; "
            "begin anew with --fresh"
        )
    context, reference = stack.engine.facts.max_model_len, options.spec.load.reference
    prompt_tokens, output_tokens = workloads.typical(reference, context)
    target = Target(stack.gateway_url, stack.engine.url, stack.engine.model, stack.api_key)
    if run.state["probe"] is not None:
        widest = max(options.spec.gateway.max_active)
        probing.warm_up(target, prompt_tokens, output_tokens, widest, progress.say)
        return Probe.from_json(run.state["probe"])
    seen = probing.run(target, prompt_tokens, output_tokens, progress.say)
    others: dict[str, Any] = {}
    for name in options.spec.load.workloads[1:]:
        progress.say(f"workload {name}:")
        others[name] = probing.run(target, *workloads.typical(name, context), progress.say).to_json()
    if options.like is not None:
        run.update({"own_probe": seen.to_json(), "like": options.like.name})
        earlier = read_run(options.like)
        seen, others = Probe.from_json(earlier["probe"]), earlier.get("probes") or {}
    run.update({"probe": seen.to_json(), "probes": others, "engine": _engine_facts(stack)})
    tpot = "no TPOT" if seen.tpot_s is None else f"TPOT {seen.tpot_s * 1e3:.0f} ms"
    progress.say(
        f"idle: TTFT {seen.ttft_s * 1e3:.0f} ms, {tpot}, E2E {seen.e2e_s:.2f} s; "
        f"capacity about {seen.capacity_per_s:.1f} requests/s"
    )
    return seen


def settle_objective(options: SweepOptions, run: RunDir, stack: SweepStack, seen: Probe) -> SLO:
    """The SLO in force, kept in run.json with what it was scaled from."""
    text, scaled_from = objective.objective(
        options.spec.slo.text, stack.engine.provider.slo_scaled, seen.ttft_s, seen.tpot_s, seen.e2e_s
    )
    slo = SLO.parse(text)
    run.update(
        {
            "slo": {
                "text": str(slo),
                "ttft_s": slo.ttft_s,
                "tpot_s": slo.tpot_s,
                "e2e_s": slo.e2e_s,
                "attainment": slo.attainment,
                "scaled_from": scaled_from,
            }
        }
    )
    return slo


def planned(options: SweepOptions, run: RunDir) -> Matrix | None:
    """The matrix of a run that was probed already; None before that."""
    state = run.state
    if state["probe"] is None or state["slo"] is None:
        return None
    return build(options, run, Probe.from_json(state["probe"]), SLO.parse(state["slo"]["text"]))


def build(options: SweepOptions, run: RunDir, seen: Probe, slo: SLO) -> Matrix:
    """The matrix of this run, its sentinel and the engine's further starts included."""
    facts = EngineFacts.from_json((run.state["engine"] or {}).get("facts") or {})
    probes = {name: Probe.from_json(value) for name, value in (run.state.get("probes") or {}).items()}
    return matrix.build(
        options.spec,
        seen,
        slo,
        probes=probes,
        context_tokens=facts.max_model_len,
        sentinel=True,
        engine_start_s=facts.ready_after_s or 0.0,
    )


def record(run: RunDir, stack: SweepStack, plan: Matrix) -> None:
    """What is planned, and where: into run.json and the journal, with each start of the engine."""
    facts: dict[str, Any] = {"cells": plan.to_json(), "expected_s": plan.expected_s, "status": "running"}
    if run.state["provenance"] is None:
        facts["provenance"] = provenance.collect(paths.checkout())
        facts["anchor"] = {"unix_s": time.time(), "monotonic_s": time.monotonic()}
    started = {"knobs": stack.knobs.given(), **_engine_facts(stack)}
    facts["engine_starts"] = [*run.state.get("engine_starts", []), started]
    run.update(facts)
    ready = {"engine": stack.engine.label, "knobs": stack.knobs.given(), "cells": len(plan.cells)}
    run.note("stack_ready", ready)


def _engine_facts(stack: SweepStack) -> dict[str, Any]:
    engine = stack.engine
    return {
        "provider": engine.provider.name,
        "label": engine.label,
        "model": engine.model,
        "url": engine.url,
        "facts": engine.facts.to_json(),
        "gateway_url": stack.gateway_url,
    }


def max_running(stack: SweepStack) -> int | None:
    """The engine's largest batch; None where it is not known."""
    return stack.engine.facts.max_num_seqs
