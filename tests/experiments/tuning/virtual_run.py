"""Writes a run folder whose engine is the twin itself, step by step, so that the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.run_folder import codec
from experiments.run_folder.cell_summary import CellSummary, MeasuredWindow
from experiments.run_folder.engine_state import EngineState
from experiments.run_folder.run_state import PlannedCell
from experiments.spec.setting import Setting
from experiments.stack.engine_facts import EngineFacts
from experiments.twin import reference
from experiments.twin.profile import Profile
from experiments.twin.scheduler import Scheduler, Step
from experiments.twin.simulate import Offered
from experiments.twin.simulated import Simulated
from gateway.limits import Limits
from loadtests.planning import plan
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.recording.summary import summarise
from loadtests.slo import SLO
from tests.experiments import plain

SLO_TEXT = "ttft<=0.3s,tpot<=60ms,attainment>=0.95"


class _Recording(reference.ReferenceRun):
    """A simulation that also notes when each token appeared."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.times_s: dict[int, list[float]] = {}

    def _finish(self, step: Step, count: int, now_s: float) -> None:
        for sequence in (*self.engine.decoding, *step.first_tokens):
            self.times_s.setdefault(sequence.owner.owner, []).append(now_s + self.egress_s)
        super()._finish(step, count, now_s)


def write_run(
    folder: Path,
    profile: Profile,
    actives: Sequence[int],
    rates_per_s: Sequence[float],
    monkeypatch: pytest.MonkeyPatch,
    seed: int = 1,
) -> Path:
    """Cells of every MAX_ACTIVE and rate, 30 s each, with prompts of 40 to 200 tokens."""
    monkeypatch.setattr(Scheduler, "steps_ahead", lambda _self: 1)
    planned = []
    for active in actives:
        for rate_per_s in rates_per_s:
            limits = Limits(max_active=active, queue_max=20, queue_timeout_s=1.0)
            mix = Mix(workload="lognormal", prompt_tokens=80, output_tokens=20, length_sigma=0.5)
            trace = plan.make("sustained", rate_per_s, 3, 30, seed, mix=mix)
            name = f"ma{active}--{rate_per_s:g}--b0"
            seen = _write_cell(folder / "cells" / name, trace, limits, profile)
            planned.append(PlannedCell(name, seen.setting, seen.workload))
    monkeypatch.undo()
    facts = EngineFacts(num_gpu_blocks=1024, block_size=128)
    state = replace(
        plain.state(folder.name),
        engine=EngineState("emulator", "VIRTUAL", "virtual", None, facts),
        slo=plain.objective(SLO_TEXT),
        cells=tuple(planned),
    )
    codec.write(folder / "run.json", state)
    return folder


def _write_cell(folder: Path, trace: Plan, limits: Limits, profile: Profile) -> CellSummary:
    folder.mkdir(parents=True)
    run = _Recording(Offered(trace.arrivals), profile, limits, 0, float("inf"))
    done = run.run()
    records = [_record(i, trace, done, run.times_s.get(i, [])) for i in range(len(trace))]
    trace.save(folder / "plan.json")
    pq.write_table(pa.Table.from_pylist(records), folder / "records.parquet")
    parsed = [RequestRecord.from_json(record) for record in records]
    found = summarise(parsed, trace, SLO.parse(SLO_TEXT), phase="measure")
    start_s, end_s = trace.phase_s("measure")
    offered = replace(plain.workload(trace.header.rate_per_s), plan_hash=trace.hash)
    window = MeasuredWindow(start_s, end_s, trace.header.warm_up_s, 1_000.0)
    summary = replace(
        plain.summary(folder.name, Setting(limits), offered, window),
        counts=found.counts,
        rates=found.rates,
        attainment=found.attainment,
        latency=found.latency,
        classes=found.classes,
    )
    codec.write(folder / "summary.json", summary)
    return summary


def _record(i: int, trace: Plan, done: Simulated, times_s: Sequence[float]) -> dict[str, Any]:
    arrival, ok = trace.arrivals[i], done.outcome[i] == "ok"
    granted_s = float(done.granted_s[i])
    first_s, last_s = (times_s[0], times_s[-1]) if times_s else (None, None)
    return {
        "i": i,
        "request_id": str(i),
        "phase": arrival.phase,
        "class": "fixed",
        "session": -1,
        "due_s": arrival.due_s,
        "outcome": done.outcome[i],
        "sent_s": arrival.due_s,
        "headers_s": first_s,
        "first_s": first_s,
        "last_s": last_s,
        "finished_s": last_s if ok else arrival.due_s + 1.0,
        "chunk_times_s": list(times_s),
        "chunk_tokens": None,
        "status": 200 if ok else 503,
        "error": None,
        "finish_reason": "length" if ok else None,
        "prompt_tokens": arrival.prompt_tokens if ok else None,
        "output_tokens": arrival.output_tokens if ok else None,
        "queue_s": granted_s - arrival.due_s if ok else None,
        "upstream_s": 0.001 if ok else None,
        "limits_version": 1,
        "retry_after_s": None,
        "attempts": 1,
        "tried": None,
    }
