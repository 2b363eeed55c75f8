"""Whether a cell met its objective, where each load class has its own."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.run_state import Objective
from loadtests.recording.share import wilson
from loadtests.recording.summary import LoadSummary
from loadtests.slo import SLO
from reports import numbers
from reports.rows import CellRow


@dataclass(frozen=True, slots=True)
class ClassVerdict:
    """One load class in one cell; `sure`: the interval of its attainment is on one side of its target."""

    meets: bool
    sure: bool
    sentence: str


def of_classes(slo: Objective, summary: CellSummary | None) -> list[ClassVerdict]:
    """Those of the load classes that the cell was offered."""
    classes = (summary.classes if summary is not None else None) or {}
    return [
        _verdict(name, classes[name], own)
        for name, own in slo.classes
        if name in classes and classes[name].counts.offered
    ]


def meets(slo: Objective, row: CellRow, summary: CellSummary | None) -> bool:
    """Whether a cell met the objective: of several load classes every one that was offered anything its own.
    False where there is no target, or nothing was judged."""
    if slo.classes:
        judged = of_classes(slo, summary)
        return bool(judged) and all(one.meets for one in judged)
    return slo.attainment is not None and row.attainment >= slo.attainment


def _verdict(name: str, own: LoadSummary, slo: SLO) -> ClassVerdict:
    counts = own.counts
    share = counts.served_in_slo / counts.offered
    low, high = wilson(counts.served_in_slo, counts.offered)
    met = share >= slo.attainment
    return ClassVerdict(
        met,
        low >= slo.attainment if met else high < slo.attainment,
        f"{name}: {numbers.percent(share)} of {numbers.count(counts.offered)} (95 %: "
        f"{numbers.between(low, high, 'percent')}), the target is {numbers.percent(slo.attainment)}",
    )
