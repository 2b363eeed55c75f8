"""Verified cells on a live stack: measured as a sweep measures, read back as `tune` wants them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from experiments.calibration.held_out import speed_of_steps
from experiments.calibration.step_rows import rows_of_steps
from experiments.design.cells import Cell
from experiments.design.windows import OVERHEAD_S
from experiments.observe.ask import StreamedAnswer
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.doubt import DoubtCode
from experiments.run_folder.folder import RunDir
from experiments.run_folder.measured_cell import MeasuredCell, read_cell
from experiments.tuning.task import MeasuredRun
from experiments.twin.profile import Profile
from loadtests.record import RequestRecord
from loadtests.recording.quantiles import Quantile

LATE = frozenset({DoubtCode.CLIENT_SATURATED})
FEWEST_STEPS = 30


@dataclass(slots=True)
class LiveMeasurer:
    """Measures cells with `run_cells` and reads them.

    Attributes:
        run_cells: measures those that are not on disk yet.
        left_out: cells without a usable run.
        late: cells that are used although their generator was late, since no better run of them is there.
    """

    run: RunDir
    profile: Profile
    run_cells: Callable[[Sequence[Cell]], None]
    left_out: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    def measure(self, cells: Sequence[Cell]) -> list[MeasuredRun]:
        """See `CellMeasurer`."""
        todo = [cell for cell in cells if not self.run.is_done(cell.id)]
        if todo:
            self.run_cells(todo)
        done = [(cell, read_cell(self.run.cell(cell.id))) for cell in cells if self.run.is_done(cell.id)]
        self.left_out += [cell.id for cell in cells if not self.run.is_done(cell.id)]
        valid = {(c.setting, c.load) for c, m in done if not m.invalid_codes}
        seen = []
        for cell, measured in done:
            codes = measured.invalid_codes
            if codes and (not codes <= LATE or (cell.setting, cell.load) in valid):
                self.left_out.append(cell.id)
                continue
            self.late += [cell.id] if codes else []
            seen.append(seen_of(cell, measured, self.profile))
        return seen


def seen_of(cell: Cell, measured: MeasuredCell, profile: Profile) -> MeasuredRun:
    """A finished cell as `tune` sees it."""
    summary, records = measured.summary, measured.records()
    assert summary.counts is not None, "a cell that was measured here has counts"
    assert summary.rates is not None, "… and rates"
    served = summary.counts.outcomes.get("ok", 0)
    values = {
        "goodput_per_s": summary.rates.goodput_per_s or 0.0,
        "attainment": summary.attainment or 0.0,
        "rejected_ratio": 1 - served / max(1, summary.counts.offered),
    }
    intervals: dict[str, tuple[float, float]] = {}
    for name, p95 in _p95s(summary).items():
        values[name] = math.nan if p95 is None or p95.value is None else p95.value
        if p95 is not None and p95.low is not None and p95.high is not None:
            intervals[name] = (p95.low, p95.high)
    window_end_s = summary.window.end_s
    ended_s = max([window_end_s, *(r.finished_s for r in records if r.finished_s is not None)])
    return MeasuredRun(cell, values, intervals, speed_of(records, profile), ended_s + OVERHEAD_S)


def speed_of(records: Sequence[RequestRecord], profile: Profile) -> float:
    """Measured over modelled seconds of the run's steps; 1 where too few steps can be told."""
    answers = [
        StreamedAnswer(
            r.sent_s or 0.0,
            tuple(r.chunk_times_s),
            int(r.prompt_tokens or 0),
            int(r.output_tokens or 0),
            r.finished_s or r.chunk_times_s[-1],
        )
        for r in records
        if r.outcome == "ok" and r.chunk_times_s and r.prompt_tokens
    ]
    steps = rows_of_steps(answers) if answers else []
    return speed_of_steps(steps, profile) if len(steps) >= FEWEST_STEPS else 1.0


def _p95s(summary: CellSummary) -> dict[str, Quantile | None]:
    latency = summary.latency
    if latency is None:
        return {}
    measured = {
        "ttft_p95_s": latency.ttft_s,
        "e2e_p95_s": latency.e2e_s,
        "tpot_p95_s": latency.tpot_s,
        "queue_p95_s": latency.queue_s,
    }
    return {name: None if one is None else one.p95 for name, one in measured.items()}
