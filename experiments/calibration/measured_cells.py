"""The measured cells of a run folder as the twin reads them: plan, limits, and what each client saw."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.errors import UserError
from experiments.observe.ask import StreamedAnswer
from experiments.run_folder.cell_summary import Workload
from experiments.run_folder.measured_cell import read_cell as read_measured
from experiments.run_folder.reading import read_run as read_state
from experiments.spec.setting import Setting
from experiments.stack.engine_facts import EngineFacts
from loadtests.planning import plan as plans
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.recording.latency_summary import Latency
from loadtests.recording.quantiles import Quantile
from loadtests.recording.summary import LATENCIES, Latencies, summarise
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class Counted:
    """A planned arrival with the lengths that the engine counted."""

    due_s: float
    prompt_tokens: int
    output_tokens: int
    think_s: float
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplayCell:
    """A finished cell, with all that the twin needs to play it again.

    Attributes:
        id: of the cell.
        setting: of gateway and engine in it.
        workload: what was offered.
        plan: its arrivals as planned, and `arrivals` the same with the engine's lengths.
        answers: what was streamed, also in part; sent when the gateway passed it on.
        lag_s: from the moment a request was due to that at which the load generator sent it (median), s.
        records: of its requests.
        goodput_per_s, attainment: as measured; None where nothing was offered.
        p95: by name of the latency, such as `ttft_s`.
    """

    id: str
    setting: Setting
    workload: Workload
    plan: Plan
    arrivals: tuple[Counted, ...]
    answers: tuple[StreamedAnswer, ...]
    lag_s: float
    records: tuple[RequestRecord, ...]
    goodput_per_s: float | None
    attainment: float | None
    p95: Mapping[str, Quantile]

    @property
    def plan_as_counted(self) -> Plan:
        """The plan with the lengths of `arrivals`."""
        pairs = zip(self.plan.arrivals, self.arrivals, strict=True)
        counted = (
            a._replace(prompt_tokens=own.prompt_tokens, output_tokens=own.output_tokens) for a, own in pairs
        )
        return replace(self.plan, arrivals=tuple(counted))

    def judged(self, slo: SLO) -> ReplayCell:
        """The same cell with goodput and attainment under another objective."""
        again = summarise(self.records, self.plan, slo)
        return replace(self, goodput_per_s=again.rates.goodput_per_s, attainment=again.attainment)


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
    state = read_state(run)
    finished = [run / "cells" / cell.id for cell in state.cells]
    cells = tuple(read_cell(folder) for folder in finished if (folder / "summary.json").exists())
    if not cells or state.engine is None or state.slo is None:
        raise UserError(f"no cell of {run} is finished")
    return ReplayRun(state.engine.label, state.engine.facts, state.slo.slo, cells)


def read_cell(folder: Path) -> ReplayCell:
    """One finished cell."""
    cell = read_measured(folder)
    plan, records = plans.load(folder / "plan.json"), tuple(cell.records())
    served = [record for record in records if record.outcome == "ok" and record.prompt_tokens]
    lags_s = [record.send_lag_s for record in served if record.send_lag_s is not None]
    counted = _counted(plan, served)
    rates = cell.summary.rates
    return ReplayCell(
        id=cell.id,
        setting=cell.setting,
        workload=cell.summary.workload,
        plan=plan,
        arrivals=counted,
        answers=tuple(_answer(record, counted[record.i]) for record in records if record.chunk_times_s),
        lag_s=max(0.0, statistics.median(lags_s)) if lags_s else 0.0,
        records=records,
        goodput_per_s=rates.goodput_per_s if rates is not None else None,
        attainment=cell.summary.attainment,
        p95=_p95s(cell.summary.latency),
    )


def _p95s(latency: Latencies | None) -> dict[str, Quantile]:
    """By name of the latency."""
    measured = {name: getattr(latency, name, None) for name in LATENCIES}
    return {name: one.p95 for name, one in measured.items() if isinstance(one, Latency)}


def _counted(plan: Plan, served: Sequence[RequestRecord]) -> tuple[Counted, ...]:
    """Lengths from the engine's own count. What it never saw has a prompt as much longer than planned as the
    others', since a template does that, and an answer that is off by the same factor as theirs."""
    planned = plan.arrivals
    prompts = {r.i: r.prompt_tokens for r in served if r.prompt_tokens}
    outputs = {r.i: r.output_tokens for r in served if r.output_tokens}
    extra = [tokens - planned[i].prompt_tokens for i, tokens in prompts.items()]
    usual = round(statistics.median(extra)) if extra else 0
    ratios = [tokens / planned[i].output_tokens for i, tokens in outputs.items()]
    factor = statistics.median(ratios) if ratios else 1.0
    return tuple(
        Counted(
            a.due_s,
            prompts.get(i, max(1, a.prompt_tokens + usual)),
            outputs.get(i, max(1, round(a.output_tokens * factor))),
            a.think_s,
            a.after,
        )
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
