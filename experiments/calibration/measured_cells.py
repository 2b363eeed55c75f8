"""The measured cells of a run folder as the twin reads them: plan, limits, and what each client saw."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from experiments.errors import UserError
from experiments.files import read_json
from experiments.observe.ask import StreamedAnswer
from experiments.spec.setting import Setting
from experiments.stack.engine_facts import EngineFacts
from loadtests.planning import plan as plans
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.recording.summary import summarise
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class Counted:
    """A planned arrival with the prompt length that the engine counted."""

    due_s: float
    prompt_tokens: int
    output_tokens: int
    think_s: float


@dataclass(frozen=True, slots=True)
class CellWorkload:
    """What was offered, as summary.json has it: `relative_load` is None where the rate was given outright."""

    scenario: str
    rate_per_s: float
    relative_load: float | None
    block: int
    seed: int
    plan_hash: str


@dataclass(frozen=True, slots=True)
class MeasuredP95:
    """A quantile of a cell with its interval, seconds; None where too few requests tell it."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ReplayCell:
    """A finished cell, with all that the twin needs to play it again.

    Attributes:
        id: of the cell.
        setting: of gateway and engine in it.
        workload: what was offered.
        plan: its arrivals as planned, and `arrivals` the same with the engine's prompt lengths.
        answers: what was streamed, also in part; sent when the gateway passed it on.
        lag_s: from the moment a request was due to that at which the load generator sent it (median), s.
        records: of its requests.
        goodput_per_s, attainment: as measured; None where nothing was offered.
        p95: by name of the latency, such as `ttft_s`.
    """

    id: str
    setting: Setting
    workload: CellWorkload
    plan: Plan
    arrivals: tuple[Counted, ...]
    answers: tuple[StreamedAnswer, ...]
    lag_s: float
    records: tuple[RequestRecord, ...]
    goodput_per_s: float | None
    attainment: float | None
    p95: Mapping[str, MeasuredP95]

    def judged(self, slo: SLO) -> ReplayCell:
        """The same cell with goodput and attainment under another objective."""
        again = summarise(self.records, self.plan, slo)
        return replace(self, goodput_per_s=again["rates"]["goodput_per_s"], attainment=again["attainment"])


@dataclass(frozen=True, slots=True)
class ReplayRun:
    """A measured run: the engine's label and facts, the objective, and the finished cells in its order."""

    label: str
    facts: EngineFacts
    slo: SLO
    cells: tuple[ReplayCell, ...]


def read_run(run: Path) -> ReplayRun:
    """The finished cells of a run, and what they were measured on.

    Raises:
        UserError: it is not a run folder, or no cell of it is finished.
    """
    if not (run / "run.json").exists():
        raise UserError(f"{run} is not a run folder: it has no run.json")
    state: dict[str, Any] = read_json(run / "run.json")
    folders = [run / "cells" / str(cell["id"]) for cell in state["cells"]]
    cells = tuple(read_cell(folder) for folder in folders if (folder / "summary.json").exists())
    if not cells:
        raise UserError(f"no cell of {run} is finished")
    facts = EngineFacts.from_json(state["engine"].get("facts") or {})
    return ReplayRun(str(state["engine"]["label"]), facts, SLO.parse(state["slo"]["text"]), cells)


def read_cell(folder: Path) -> ReplayCell:
    """One finished cell."""
    summary: dict[str, Any] = read_json(folder / "summary.json")
    plan = plans.load(folder / "plan.json")
    rows = pq.read_table(folder / "records.parquet").to_pylist()
    records = tuple(RequestRecord.from_json(row) for row in rows)
    served = [record for record in records if record.outcome == "ok" and record.prompt_tokens]
    lags_s = [record.send_lag_s for record in served if record.send_lag_s is not None]
    counted = _counted(plan, served)
    workload = summary["workload"]
    return ReplayCell(
        id=folder.name,
        setting=Setting.from_json(summary["setting"]),
        workload=CellWorkload(**{name: workload.get(name) for name in CellWorkload.__dataclass_fields__}),
        plan=plan,
        arrivals=counted,
        answers=tuple(_answer(record, counted[record.i]) for record in records if record.chunk_times_s),
        lag_s=max(0.0, statistics.median(lags_s)) if lags_s else 0.0,
        records=records,
        goodput_per_s=summary["rates"]["goodput_per_s"],
        attainment=summary["attainment"],
        p95={name: _p95(latency) for name, latency in summary["latency"].items() if "p95" in latency},
    )


def _p95(latency: Mapping[str, Any]) -> MeasuredP95:
    p95 = latency["p95"]
    return MeasuredP95(p95["value"], p95["low"], p95["high"])


def _counted(plan: Plan, served: Sequence[RequestRecord]) -> tuple[Counted, ...]:
    """Prompt lengths from the engine's own count; what it never saw is as much longer than planned
    as the others were.
    """
    known = {record.i: record.prompt_tokens or 0 for record in served}
    planned = plan.arrivals
    extra = [tokens - planned[i].prompt_tokens for i, tokens in known.items()]
    usual = round(statistics.median(extra)) if extra else 0
    return tuple(
        Counted(a.due_s, known.get(i, max(1, a.prompt_tokens + usual)), a.output_tokens, a.think_s)
        for i, a in enumerate(planned)
    )


def _answer(record: RequestRecord, planned: Counted) -> StreamedAnswer:
    """The moment of sending is that at which the gateway passed it on: the steps are the engine's."""
    times_s = tuple(record.chunk_times_s)
    return StreamedAnswer(
        sent_s=(record.sent_s or 0.0) + (record.queue_s or 0.0),
        times_s=times_s,
        prompt_tokens=record.prompt_tokens or planned.prompt_tokens,
        output_tokens=len(times_s),
        ended_s=record.finished_s or times_s[-1],
    )
