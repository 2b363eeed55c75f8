"""The measured cells of a run folder as the twin reads them: plan, limits, and what each client saw."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from experiments.errors import UserError
from experiments.files import read_json
from experiments.observe.ask import StreamedAnswer
from gateway.limits import Limits, QueueMode, QueueOrder
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
class MeasuredCell:
    """A finished cell.

    Attributes:
        id: of the cell.
        limits: of the gateway in it.
        plan: its arrivals as planned, and `arrivals` the same with the engine's prompt lengths.
        answers: what was streamed, also in part; sent when the gateway passed it on.
        lag_s: from the moment a request was due to that at which the load generator sent it (median), s.
        records: of its requests.
        summary: summary.json.
    """

    id: str
    limits: Limits
    plan: Plan
    arrivals: tuple[Counted, ...]
    answers: tuple[StreamedAnswer, ...]
    lag_s: float
    records: tuple[RequestRecord, ...]
    summary: dict[str, Any]

    def judged(self, slo: SLO) -> MeasuredCell:
        """The same cell with goodput and attainment under another objective."""
        again = summarise(self.records, self.plan, slo)
        part = {"rates": asdict(again.rates), "attainment": again.attainment}
        return replace(self, summary={**self.summary, **part})


def read_run(run: Path) -> tuple[dict[str, Any], list[MeasuredCell]]:
    """run.json and the finished cells of a run, in its order.

    Raises:
        UserError: it is not a run folder, or no cell of it is finished.
    """
    if not (run / "run.json").exists():
        raise UserError(f"{run} is not a run folder: it has no run.json")
    state: dict[str, Any] = read_json(run / "run.json")
    folders = [run / "cells" / str(cell["id"]) for cell in state["cells"]]
    cells = [read_cell(folder) for folder in folders if (folder / "summary.json").exists()]
    if not cells:
        raise UserError(f"no cell of {run} is finished")
    return state, cells


def read_cell(folder: Path) -> MeasuredCell:
    """One finished cell."""
    summary: dict[str, Any] = read_json(folder / "summary.json")
    plan = plans.load(folder / "plan.json")
    rows = pq.read_table(folder / "records.parquet").to_pylist()
    served = [row for row in rows if row["outcome"] == "ok" and row["prompt_tokens"]]
    lag_s = statistics.median(row["sent_s"] - row["due_s"] for row in served) if served else 0.0
    counted = _counted(plan, served)
    records = tuple(RequestRecord.from_json(row) for row in rows)
    answers = [_answer(row, counted[row["i"]]) for row in rows if row.get("chunk_times_s")]
    return MeasuredCell(
        folder.name,
        _limits(summary["setting"]),
        plan,
        counted,
        tuple(answers),
        max(0.0, lag_s),
        records,
        summary,
    )


def _counted(plan: Plan, served: Sequence[dict[str, Any]]) -> tuple[Counted, ...]:
    """Prompt lengths from the engine's own count; what it never saw is as much longer than planned as the
    others were.
    """
    known = {row["i"]: int(row["prompt_tokens"]) for row in served}
    planned = plan.arrivals
    extra = [known[i] - planned[i].prompt_tokens for i in known]
    usual = round(statistics.median(extra)) if extra else 0
    return tuple(
        Counted(a.due_s, known.get(i, max(1, a.prompt_tokens + usual)), a.output_tokens, a.think_s)
        for i, a in enumerate(planned)
    )


def _answer(row: dict[str, Any], planned: Counted) -> StreamedAnswer:
    """The moment of sending is that at which the gateway passed it on: the steps are the engine's."""
    times_s = tuple(row["chunk_times_s"])
    passed_on_s = row["sent_s"] + (row["queue_s"] or 0.0)
    prompt_tokens = row["prompt_tokens"] or planned.prompt_tokens
    ended_s = row["finished_s"] or times_s[-1]
    return StreamedAnswer(passed_on_s, times_s, prompt_tokens, len(times_s), ended_s)


def _limits(setting: dict[str, Any]) -> Limits:
    return Limits(
        max_active=setting["max_active"],
        queue_mode=QueueMode(setting["queue_mode"]),
        queue_max=setting["queue_max"],
        queue_timeout_s=setting["queue_timeout_s"],
        queue_order=QueueOrder(setting["queue_order"]),
        request_timeout_s=setting["request_timeout_s"],
    )
