"""Write a synthetic run folder as a sweep leaves it behind, for the tests of the report.

The requests come from a small simulation (`synthetic_service`); everything else is made by the code that
makes it in a real sweep, so that nothing here can differ from what a reader has to expect. Everything is
seeded. Nothing is measured: the engine label says so.
"""

from __future__ import annotations

import hashlib
import json
from itertools import product
from pathlib import Path

from experiments.decide.recommendation import recommend
from experiments.decide.recommended_files import save
from experiments.design.cells import Cell
from experiments.design.probe import Probe
from experiments.measure.summary import KnownEngine, summarise_cell
from experiments.run_folder import codec, record_table
from experiments.run_folder.applied_setting import AppliedSetting
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.engine_state import EngineState
from experiments.run_folder.provenance import Cpu, Provenance
from experiments.run_folder.run_state import Anchor, Objective, PlannedCell, RunState, RunStatus
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.stack.engine_facts import EngineFacts
from gateway.limits import Limits, QueueMode
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.slo import SLO
from tests.reports.synthetic_cell import BATCH, BEGAN_UNIX_S, MODEL, load_run, material, seen_limits
from tests.reports.synthetic_service import OUTPUT_TOKENS, PROMPT_TOKENS, serve

OBJECTIVE = SLO(ttft_s=0.5, tpot_s=0.06)
ONE_LENGTH = Mix.fixed(PROMPT_TOKENS, OUTPUT_TOKENS)
LABEL = "EMULATOR (synthetic numbers for the report's own tests)"
PROBE = Probe(
    ttft_s=0.05,
    tpot_s=0.02,
    e2e_s=0.6,
    capacity_per_s=12.8,
    e2e_at_capacity_s=1.0,
    ttft_at_capacity_s=0.2,
    steps=((4, 6.0), (16, 12.8)),
)


def setting(max_active: int, mode: QueueMode, queue_max: int, timeout_s: float = 0.4) -> Setting:
    """One gateway setting."""
    return Setting(
        Limits(max_active=max_active, queue_mode=mode, queue_max=queue_max, queue_timeout_s=timeout_s)
    )


SETTINGS = tuple(
    setting(active, mode, queue)
    for active in (4, 8, 16)
    for mode, queue in ((QueueMode.QUEUE, 8), (QueueMode.REJECT, 0))
)
LOADS = (Load("sustained", 9.0, 0.7), Load("sustained", 16.0, 1.25))


def write_run(
    root: Path,
    *,
    settings: tuple[Setting, ...] = SETTINGS,
    loads: tuple[Load, ...] = LOADS,
    warm_up_s: float = 5.0,
    measure_s: float = 30.0,
    blocks: int = 1,
    slo: SLO = OBJECTIVE,
    mix: Mix = ONE_LENGTH,
) -> Path:
    """Write a whole run folder below `root` and return it."""
    planned = []
    for seed, (block, load) in enumerate(product(range(blocks), loads)):
        plan = plan_of(load, warm_up_s, measure_s, seed, mix)
        for one in settings:
            summary = write_cell(root, Cell(one, load, block=block), plan, slo)
            planned.append(PlannedCell(summary.cell, summary.setting, summary.workload))
    codec.write(root / "run.json", state_of(root.name, planned, slo))
    save(root, recommend(root, slo))
    (root / "journal.jsonl").write_text("")
    return root


def write_cell(root: Path, cell: Cell, plan: Plan, slo: SLO = OBJECTIVE) -> CellSummary:
    """Write the folder of one cell; its summary."""
    folder, limits = root / "cells" / cell.id, cell.setting.limits
    folder.mkdir(parents=True)
    records = _stored(folder, serve(plan, limits, plan.header.seed))
    seen = material(plan, records, limits, slo)
    summary = summarise_cell(cell, plan, slo, seen, KnownEngine(LABEL, BATCH, PROBE.capacity_per_s))
    codec.write(folder / "summary.json", summary)
    codec.write(folder / "cell.json", AppliedSetting(cell.id, cell.setting, limits))
    write_json(folder / "load.json", seen.load_run.to_json())
    seen.series.to_parquet(folder / "series.parquet", index=False)
    return summary


def write_load_run(root: Path, limits: Limits | None) -> Path:
    """Write a load run of its own, against a gateway with these limits or against an engine alone."""
    folder = root / "cells" / "load"
    folder.mkdir(parents=True)
    plan = plan_of(LOADS[0], 1.0, 8.0, seed=3)
    records = _stored(folder, serve(plan, limits or Limits(max_active=BATCH), seed=3))
    seen = load_run(plan, records, OBJECTIVE, seen_limits(limits) if limits is not None else None)
    write_json(folder / "load.json", seen.to_json())
    return root


def write_json(path: Path, value: object) -> None:
    """One JSON file, its folder made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def plan_of(load: Load, warm_up_s: float, measure_s: float, seed: int, mix: Mix = ONE_LENGTH) -> Plan:
    """The arrivals of a load, all requests of one length unless told."""
    assert load.rate_per_s is not None
    return plans.make(load.scenario, load.rate_per_s, warm_up_s, measure_s, seed, mix)


def _stored(folder: Path, records: list[RequestRecord]) -> list[RequestRecord]:
    (folder / "records.jsonl").write_bytes(b"".join(record.to_json() + b"\n" for record in records))
    return record_table.convert(folder)


def state_of(name: str, planned: list[PlannedCell], slo: SLO = OBJECTIVE) -> RunState:
    """run.json of a run that is over."""
    facts = EngineFacts(models=(MODEL,), max_num_seqs=BATCH, version="0.0", cpus=(0,))
    return RunState(
        name=name,
        created_utc="2026-01-02T03:04:05Z",
        command=("python", "-m", "experiments.sweep", "--engine", "emulator", "--out", f"runs/{name}"),
        spec={"gateway": {"max_active": [4, 8, 16], "queue_mode": ["queue", "reject"]}},
        spec_digest=hashlib.sha256(name.encode()).hexdigest(),
        status=RunStatus.COMPLETE,
        engine=EngineState("emulator", LABEL, MODEL, "http://127.0.0.1:8000", facts),
        slo=Objective.of(slo),
        probe=PROBE,
        provenance=Provenance(
            python="3.11.7",
            platform="Linux",
            cpu=Cpu("some CPU", 2, 2),
            commit="0123456789abcdef",
            uncommitted_changes=False,
            packages={"locust": "2.47.0", "numpy": "2.4.6"},
        ),
        anchor=Anchor(BEGAN_UNIX_S, 100.0),
        cells=tuple(planned),
    )
