"""`python -m experiments.sweep`: measure a matrix of gateway settings under load, recommend one, write the
report."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments import dry_run, matrix, probe, provenance, recommend, run_dir, slo_scaling, sweep_stack
from experiments.cells_in_turn import in_turn
from experiments.command import run_command
from experiments.errors import UserError
from experiments.matrix import Matrix
from experiments.measure import Bench
from experiments.points import Cell
from experiments.probe import Probe, Target
from experiments.progress import SweepProgress
from experiments.recommendation import recommend as recommendation_of
from experiments.recommendation import save as save_recommendation
from experiments.run_dir import RunDir
from experiments.sweep_args import SweepOptions, parse
from experiments.sweep_stack import SweepStack
from loadtests.slo import SLO


def main(argv: Sequence[str]) -> int:
    """The whole sweep; exit code 0, 1 when a cell could not be measured, 2 for a user's mistake."""
    options = parse(argv)
    if options.dry_run:
        print(dry_run.show(options.spec))
        return 0
    # A polite kill ends like Ctrl-C: everything stopped, what was measured kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run, resumed = run_dir.open_or_create(
        options.runs, options.out, options.spec, options.command, fresh=options.fresh
    )
    try:
        with SweepProgress(options.quiet) as progress:
            progress.say(f"{'resuming' if resumed else 'run'} {run.path}")
            failed = _measure_all(options, run, progress)
        return _finish(run, failed)
    finally:
        run.close()


def _measure_all(options: SweepOptions, run: RunDir, progress: SweepProgress) -> list[str]:
    """Every cell that is not done yet; returns the ids of those that failed twice."""
    with sweep_stack.running(options, run.logs, run.prometheus_data, progress.say) as stack:
        seen = _probe(options, run, stack, progress)
        slo = _objective(options, run, stack, seen)
        plan = matrix.build(options.spec, seen, slo)
        _record(run, stack, plan)
        if plan.said:
            progress.say(plan.said)
        bench = Bench(run, stack.admin, stack.metrics, slo, stack.engine.label, _max_running(stack))
        todo = [cell for cell in plan.cells if not run.is_done(cell.id)]
        progress.plan([plan.phases[cell.load].expected_s for cell in todo], len(plan.cells) - len(todo))
        failed, invalid = in_turn(todo, plan, bench, stack, progress)
        again = _once_more(run, failed, invalid)
        if again:
            progress.plan([plan.phases[cell.load].expected_s for cell in again], len(plan.cells) - len(again))
        return [cell.id for cell in in_turn(again, plan, bench, stack, progress)[0]]


def _once_more(run: RunDir, failed: list[Cell], invalid: list[Cell]) -> list[Cell]:
    """Cells worth a second try: a machine that was busy for ten seconds must not decide a sweep."""
    for cell in invalid:
        run.repeat_cell(cell.id, "invalid")
    return failed + invalid


def _probe(options: SweepOptions, run: RunDir, stack: SweepStack, progress: SweepProgress) -> Probe:
    """The probe of this run: made once, then read back, so that a resumed run keeps its rates and windows."""
    engine = run.state["engine"]
    if engine is not None and engine["label"] != stack.engine.label:
        raise UserError(
            f"{run.path} was begun on {engine['label']}, and this is {stack.engine.label}: numbers of "
            "two engines do not mix; "
            "begin anew with --fresh"
        )
    if run.state["probe"] is not None:
        return Probe.from_json(run.state["probe"])
    shape = options.spec.load
    target = Target(stack.gateway_url, stack.engine.url, stack.engine.model)
    seen = probe.run(target, shape.prompt_tokens, shape.output_tokens, progress.say)
    run.update({"probe": seen.to_json(), "engine": _engine_facts(stack)})
    progress.say(
        f"idle: TTFT {seen.ttft_s * 1e3:.0f} ms, TPOT {seen.tpot_s * 1e3:.0f} ms, E2E {seen.e2e_s:.2f} s; "
        f"capacity about {seen.capacity_per_s:.1f} requests/s"
    )
    return seen


def _objective(options: SweepOptions, run: RunDir, stack: SweepStack, seen: Probe) -> SLO:
    text, scaled_from = slo_scaling.objective(
        options.spec.slo.text, stack.engine.provider, seen.ttft_s, seen.tpot_s, seen.e2e_s
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


def _record(run: RunDir, stack: SweepStack, plan: Matrix) -> None:
    facts: dict[str, Any] = {"cells": plan.to_json(), "expected_s": plan.expected_s, "status": "running"}
    if run.state["provenance"] is None:
        facts["provenance"] = provenance.collect(Path(__file__).parent)
        facts["anchor"] = {"unix_s": time.time(), "monotonic_s": time.monotonic()}
    run.update(facts)
    run.note("stack_ready", {"engine": stack.engine.label, "cells": len(plan.cells)})


def _engine_facts(stack: SweepStack) -> dict[str, Any]:
    engine = stack.engine
    return {
        "provider": engine.provider,
        "label": engine.label,
        "model": engine.model,
        "url": engine.url,
        "facts": dict(engine.facts),
        "gateway_url": stack.gateway_url,
    }


def _max_running(stack: SweepStack) -> int | None:
    value = stack.engine.facts.get("max_num_seqs")
    return int(value) if value is not None else None


def _finish(run: RunDir, failed: list[str]) -> int:
    """Recommendation and report from what is on disk; exit code 1 when either is wanting."""
    run.update({"status": "partial" if failed else "complete", "failed": failed})
    problems = [f"{len(failed)} cells could not be measured: {', '.join(failed)}"] if failed else []
    try:
        found = recommendation_of(run.path, SLO.parse(run.state["slo"]["text"]))
    except UserError as error:
        problems.append(f"no recommendation: {error}")
    else:
        print(recommend.show(found, save_recommendation(run.path, found)))
    report = subprocess.run(
        [sys.executable, "-m", "reports", str(run.path)], stdout=subprocess.DEVNULL, check=False
    )
    if report.returncode == 0:
        print(f"report: {run.path / 'report.html'}")
    else:
        problems.append(f"the report failed; try again: python -m reports {run.path}")
    for problem in problems:
        print(f"headroom: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    run_command(main)
