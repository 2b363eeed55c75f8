"""What a run measured at the points of its what-if, and how far the prediction was off there."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.what_if import ExpectedValue, WhatIf, WhatIfPoint
from reports import frames
from reports.run import Run

MEASURES = {
    "attainment": ("Served in SLO, of offered", "percent"),
    "goodput_per_s": ("Goodput", "rate"),
    "ttft_p95_s": ("TTFT p95", "s"),
    "e2e_p95_s": ("E2E p95", "s"),
}
"""Measure of what_if.json → its words, and the kind of number."""


@dataclass(frozen=True, slots=True)
class MeasuredErrors:
    """A measure where it was predicted and measured: the number of values, how many lay in their intervals,
    and the median of the absolute error, relative, of an attainment as a difference."""

    measure: str
    n: int
    inside: int
    median: float


def usable_cells(run: Run, point: WhatIfPoint) -> list[CellSummary]:
    """The cells that measured a point and whose numbers may be used."""
    found = [run.summaries[cell] for cell in point.cells if cell in run.summaries]
    return [summary for summary in found if frames.validity(summary) not in ("invalid", "missing")]


def measured(summary: CellSummary, measure: str) -> float:
    """A measure of what_if.json in a measured cell; nan where the cell cannot tell."""
    if measure == "attainment":
        return frames.number(summary.attainment)
    if measure == "goodput_per_s":
        return frames.number(summary.rates.goodput_per_s if summary.rates is not None else None)
    latencies = summary.latency
    if latencies is None:
        return math.nan
    latency = latencies.ttft_s if measure == "ttft_p95_s" else latencies.e2e_s
    return frames.number(latency.p95.value if latency is not None else None)


def expected(point: WhatIfPoint, measure: str) -> ExpectedValue:
    """What was predicted of a point, by the name of its measure."""
    value: ExpectedValue = getattr(point, measure)
    return value


def errors(run: Run, what_if: WhatIf) -> list[MeasuredErrors]:
    """How far the predictions were off where this run measured; measures without any value are left out."""
    points = [point for load in what_if.loads for point in load.points if point.cells]
    found = [_errors(measure, list(_pairs(run, points, measure))) for measure in MEASURES]
    return [one for one in found if one.n]


def _pairs(run: Run, points: Sequence[WhatIfPoint], measure: str) -> Iterator[tuple[ExpectedValue, float]]:
    for point in points:
        predicted = expected(point, measure)
        for summary in usable_cells(run, point):
            seen = measured(summary, measure)
            if predicted.mean is not None and math.isfinite(seen):
                yield predicted, seen


def _errors(measure: str, pairs: Sequence[tuple[ExpectedValue, float]]) -> MeasuredErrors:
    sizes = []
    for predicted, seen in pairs:
        gap = abs((predicted.mean or 0.0) - seen)
        if measure == "attainment":
            sizes.append(gap)
        elif seen:
            sizes.append(gap / seen)
    inside = sum(
        predicted.low is not None and predicted.high is not None and predicted.low <= seen <= predicted.high
        for predicted, seen in pairs
    )
    return MeasuredErrors(measure, len(pairs), inside, statistics.median(sizes) if sizes else math.nan)
