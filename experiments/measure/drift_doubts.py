"""Doubts that only a whole run can raise: cells are held against each other once all of them are there."""

from collections.abc import Iterable
from itertools import groupby

import numpy as np

from experiments.measure import gpu_doubts
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.folder import RunDir
from experiments.run_folder.measured_cell import MeasuredCell, finished_cells
from experiments.stats import drift
from experiments.stats.drift import Drift, Repeat, RepeatWindow
from loadtests.slo import SLO

CODES = (DoubtCode.DRIFT, *gpu_doubts.RUN_CODES)
_NAMES = {"goodput": "goodput", "e2e": "median E2E latency"}


def doubt(run: RunDir) -> list[str]:
    """Add these doubts to the cells they are about; returns what to tell the user, one sentence each.

    May be called again: what an earlier call has added is replaced.
    """
    cells = finished_cells(run.path)
    slo = run.state.slo.slo if run.state.slo is not None else SLO.parse("ttft<=1s")
    found: dict[str, list[Doubt]] = {cell.id: [] for cell in cells}
    said: list[str] = []
    for engine, group in groupby(sorted(cells, key=_engine), key=_engine):
        of_engine = list(group)
        for one in _drifts([cell for cell in of_engine if cell.is_sentinel], slo):
            text = _text(one, engine)
            said.append(text)
            for cell in of_engine:
                if cell.block in one.blocks:
                    found[cell.id].append(Doubt(DoubtCode.DRIFT, Severity.WARN, text))
    for cell_id, doubts in gpu_doubts.of_run(cells).items():
        found[cell_id] += doubts
    for cell in cells:
        run.doubt_cell(cell.id, CODES, found[cell.id])
    return said


def _engine(cell: MeasuredCell) -> str:
    return str(cell.setting.engine)


def _drifts(sentinels: Iterable[MeasuredCell], slo: SLO) -> list[Drift]:
    metrics: dict[str, list[Repeat]] = {name: [] for name in _NAMES}
    for cell in sorted(sentinels, key=lambda cell: cell.block):
        if cell.invalid_codes:
            continue
        measured = [record for record in cell.records() if record.phase == "measure"]
        trace = cell.trace_of(measured, slo)
        window = RepeatWindow(trace.due_s, trace.duration_s, cell.plan_hash)
        served = [
            (due, record.e2e_s)
            for due, record in zip(trace.due_s, measured, strict=True)
            if record.outcome == "ok" and record.e2e_s is not None
        ]
        due_s, e2e_s = np.array(served, dtype=float).reshape(-1, 2).T
        repeats = {
            "goodput": drift.goodput(cell.block, window, trace.good),
            "e2e": drift.median(cell.block, RepeatWindow(due_s, trace.duration_s, cell.plan_hash), e2e_s),
        }
        for name, repeat in repeats.items():
            if repeat is not None:
                metrics[name].append(repeat)
    return drift.drifts(metrics)


def _text(one: Drift, engine: str) -> str:
    where = "" if engine.startswith("the engine's own") else f" with {engine}"
    blocks = ", ".join(str(block) for block in one.blocks)
    return (
        f"the machine changed between blocks{where}: the sentinel's {_NAMES[one.metric]} was "
        f"{one.relative:.0%} higher in block {one.high.block} than in block {one.low.block}, on the same "
        f"arrivals (away from the others: block {blocks}); settings of one block may be compared, values "
        "across blocks may not: find what else ran or throttled and measure again"
    )
