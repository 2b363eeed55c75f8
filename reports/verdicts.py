"""What a cell's numbers come to, each verdict with its reasons in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.doubt import Severity
from experiments.run_folder.run_state import Objective
from loadtests.outcome import Outcome
from reports import numbers
from reports.class_verdicts import ClassVerdict, of_classes
from reports.rows import CellRow
from reports.tables.overview import VALIDITY, VERDICTS

# Bounds of an objective that a record can miss: its column, the name.
BOUNDS = (("ttft_s", "TTFT"), ("tpot_s", "TPOT"), ("e2e_s", "E2E"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`SLO missed`, why, and its tone (good, warn, bad or nothing)."""

    name: str
    why: str
    tone: str = ""


def verdicts(
    row: CellRow, slo: Objective, summary: CellSummary | None, measured: pd.DataFrame
) -> list[Verdict]:
    """Whether the objective was met, whether the slots were enough, and whether the numbers count; what
    nobody could judge is left out. `measured`: the cell's records in its window.
    """
    by_class = of_classes(slo, summary)
    objective = _by_class(row, by_class) if by_class else _objective(row, slo, measured)
    found = [objective, _saturation(row), _validity(row, summary)]
    return [verdict for verdict in found if verdict is not None]


def _objective(row: CellRow, slo: Objective, measured: pd.DataFrame) -> Verdict | None:
    if numbers.missing(row.attainment) or not row.offered:
        return None
    target = slo.attainment
    name, tone = "Served in SLO", ""
    if target is not None:
        met = row.attainment >= target
        sure = row.attainment_low >= target if met else row.attainment_high < target
        name = f"SLO {'met' if met else 'missed'}{'' if sure else ', not beyond doubt'}"
        tone = "good" if met else "bad"
    interval = numbers.between(row.attainment_low, row.attainment_high, "percent")
    asked = "" if target is None else f"; the target is {numbers.percent(target)}"
    why = (
        f"{numbers.percent(row.attainment)} of {numbers.count(row.offered)} offered requests were served "
        f"{_within(slo)} (95 %: {interval}){asked}."
    )
    return Verdict(name, why + _rest(row, slo, measured), tone)


def _by_class(row: CellRow, classes: Sequence[ClassVerdict]) -> Verdict:
    """Met where every load class meets its own objective."""
    missed = [one for one in classes if not one.meets]
    sure = any(one.sure for one in missed) if missed else all(one.sure for one in classes)
    name = f"SLO {'missed' if missed else 'met'}{'' if sure else ', not beyond doubt'}"
    why = (
        f"{numbers.percent(row.attainment)} of {numbers.count(row.offered)} offered requests were served "
        f"within the objective of their class. {'; '.join(one.sentence for one in classes)}."
    )
    return Verdict(name, why, "bad" if missed else "good")


def _within(slo: Objective) -> str:
    """`within TTFT 460 ms and TPOT 44 ms`."""
    bounds = [
        f"{name} {numbers.seconds(bound)}"
        for column, name in (*BOUNDS, ("ttfv_s", "TTFV"))
        if (bound := getattr(slo, column)) is not None
    ]
    return f"within {' and '.join(bounds)}" if bounds else "at all"


def _rest(row: CellRow, slo: Objective, measured: pd.DataFrame) -> str:
    """What became of the others, the most first: ` Of the others 40 were rejected, 3 came late (TTFT 3).`"""
    late = f"came late{_late(slo, measured)}"
    parts = [
        (row.rejected, "were rejected"),
        (row.timed_out, "waited in vain"),
        (row.served_late, late),
        (row.other, "failed or got no answer"),
    ]
    told = [f"{numbers.count(count)} {what}" for count, what in sorted(parts, key=_most_first) if count > 0]
    return f" Of the others {', '.join(told)}." if told else ""


def _most_first(part: tuple[float, str]) -> float:
    return -part[0] if part[0] > 0 else 0.0


def _late(slo: Objective, measured: pd.DataFrame) -> str:
    """` (TTFT 17, TPOT 3)`: which bounds the served requests missed; one may miss several."""
    served = measured[measured["outcome"] == Outcome.OK.value]
    missed = [
        f"{name} {count}"
        for column, name in BOUNDS
        if (bound := getattr(slo, column)) is not None
        and column in served
        and (count := int((served[column] > bound).sum()))
    ]
    return f" ({', '.join(missed)})" if missed else ""


def _saturation(row: CellRow) -> Verdict | None:
    if not row.verdict:
        return None
    text, tone = VERDICTS.get(row.verdict, (row.verdict, ""))
    binding = f" ({row.binding.replace('_', ' ')})" if row.binding else ""
    why = f"{row.saturation_why[:1].upper()}{row.saturation_why[1:]}".rstrip(".")
    return Verdict(f"{text.capitalize()}{binding}", f"{why}." if why else "", "" if tone == "quiet" else tone)


def _validity(row: CellRow, summary: CellSummary | None) -> Verdict | None:
    if summary is None:
        return None
    tone = VALIDITY[row.validity][1]
    doubts = summary.doubts
    grave = [doubt.text.rstrip(".") for doubt in doubts if doubt.severity is Severity.INVALID]
    if grave:
        return Verdict("Invalid", f"These numbers are left out of every choice: {'; '.join(grave)}.", tone)
    if any(doubt.severity is Severity.WARN for doubt in doubts):
        return Verdict("In doubt", "These numbers count, with what is said above in mind.", tone)
    return Verdict("Valid", "Nothing was found that speaks against these numbers.", "good")
