"""What the page needs to judge a run by another objective in the browser, without a server (`judge.js`)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pandas as pd

from experiments.decide.shared_loads import contenders
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.run_folder.run_state import Objective
from experiments.stats.choice import INDIFFERENCE
from experiments.stats.goodput import RUN_TO_RUN, half_widths
from loadtests.slo import SLO
from reports import figures, labels, numbers, packed_cell, tables
from reports.bound_grid import bounds_s
from reports.rows import CellRow, rows_of
from reports.run import Run

DIGITS = 3
"""Of a bound that can be chosen: steps of 0.1 to 1 %."""
MOST_REQUESTS = 1.2e6
"""Of a run whose bounds have so many digits; above, they have one less, so that the page stays small."""


@dataclass(frozen=True, slots=True)
class JudgedCell:
    """One cell. `packed`: see `packed_cell`, "" where its records cannot be read."""

    anchor: str
    offered: float
    offered_per_s: float
    window_s: float
    block: float
    packed: str


@dataclass(frozen=True, slots=True)
class Box:
    """One box of the heat maps: its setting in words, its cells by position, whether all are valid."""

    setting: str
    cells: list[int]
    valid: bool


@dataclass(frozen=True, slots=True)
class JudgedLoad:
    """One load of the choice: in words, its asked rate in words, and what tells margins apart."""

    name: str
    rate: str
    rate_per_s: float
    workload: str


@dataclass(frozen=True, slots=True)
class Contender:
    """A setting that is chosen among; `cells` by position, for each load in order."""

    setting: str
    cells: list[list[int]]


@dataclass(frozen=True, slots=True)
class JudgeSection:
    """Everything `judge.js` reads. `fixed`: terms of the objective that cannot be moved. `contenders`: the
    most modest first. `half_widths`: blocks → of the interval of a paired difference, in standard errors.
    """

    ttft_s: float | None
    tpot_s: float | None
    e2e_s: float | None
    attainment: float
    fixed: str
    digits: int
    run: str
    cells: list[JudgedCell]
    boxes: list[Box]
    loads: list[JudgedLoad]
    contenders: list[Contender]
    half_widths: dict[int, float]
    indifference: float = INDIFFERENCE
    run_to_run: float = RUN_TO_RUN

    @property
    def document(self) -> str:
        """As JSON; what is not known is null."""
        return json.dumps(_finite(asdict(self)), separators=(",", ":"), allow_nan=False)


def _finite(value: object) -> object:
    """The same with None for what is not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def movable(objective: Objective) -> bool:
    """Whether the objective is whole, so that its bounds can be moved."""
    share, bounds = objective.attainment, _given(objective)
    times = all(math.isfinite(bound) and bound > 0 for bound in bounds)
    return bool(bounds) and times and share is not None and 0 < share <= 1


def _given(objective: Objective) -> list[float]:
    every = (objective.ttft_s, objective.tpot_s, objective.e2e_s, objective.ttfv_s)
    return [bound for bound in every if bound is not None]


def digits(run: Run) -> int:
    """Significant digits of the bounds that can be chosen."""
    return DIGITS if run.cells["offered"].sum() <= MOST_REQUESTS else DIGITS - 1


def packed(objective: Objective, measured: pd.DataFrame, digits: int) -> str:
    """The measured records of one cell for the page; "" where they or the objective are not whole."""
    known = {"first_s", *packed_cell.AXES} <= set(measured.columns)
    if not known or not len(measured) or not movable(objective):
        return ""
    bounds = [bounds_s(digits, getattr(objective, name)) for name in packed_cell.AXES]
    return packed_cell.packed(measured, bounds, SLO(ttfv_s=objective.ttfv_s))


def judge_section(run: Run, packed_cells: Mapping[str, str]) -> JudgeSection | None:
    """All of a run's cells with their histograms by id; None where there is no objective to start from."""
    if not movable(run.slo) or not any(packed_cells.values()):
        return None
    rows = rows_of(run.cells, CellRow)
    at = {row.cell: position for position, row in enumerate(rows)}
    slo = run.slo
    loads, chosen = _contenders(run, at)
    most_blocks = max((len(cells) for one in chosen for cells in one.cells), default=0)
    return JudgeSection(
        ttft_s=slo.ttft_s,
        tpot_s=slo.tpot_s,
        e2e_s=slo.e2e_s,
        attainment=slo.attainment or 0.0,
        fixed="" if slo.ttfv_s is None else str(SLO(ttfv_s=slo.ttfv_s)).split(",")[0],
        digits=digits(run),
        run=f"{run.path.parent.name}/{run.path.name}",
        cells=[_cell(row, packed_cells.get(row.cell, "")) for row in rows],
        boxes=_boxes(run, at),
        loads=loads,
        contenders=chosen,
        half_widths=half_widths(most_blocks),
    )


def _cell(row: CellRow, packed: str) -> JudgedCell:
    return JudgedCell(
        tables.anchor(row.cell), row.offered, row.offered_per_s, row.window_s, row.block, packed
    )


def _boxes(run: Run, at: Mapping[str, int]) -> list[Box]:
    grid = figures.grid(run.matrix, run.latency, "goodput_per_s")
    drawn = zip(grid["setting"], grid["cells"], grid["valid"], strict=True)
    return [Box(str(name), [at[cell] for cell in cells], bool(valid)) for name, cells, valid in drawn]


def _contenders(run: Run, at: Mapping[str, int]) -> tuple[list[JudgedLoad], list[Contender]]:
    """The loads by rate, and the settings that were measured at each."""
    cells = [
        MeasuredCell(name, run.path / "cells" / name, summary.setting, summary)
        for name, summary in sorted(run.summaries.items())
        if summary.setting is not None and not summary.sentinel
    ]
    found = contenders(cells).cells
    if not found:
        return [], []
    one_of = {load: own[0] for load, own in next(iter(found.values())).items()}
    loads = sorted(one_of, key=lambda load: (one_of[load].rate_per_s, load))
    modest_first = sorted(found, key=lambda setting: setting.smaller_first)
    return (
        [_load(load, one_of[load]) for load in loads],
        [
            Contender(labels.setting(setting), [[at[c.id] for c in found[setting][load]] for load in loads])
            for setting in modest_first
        ],
    )


def _load(name: str, cell: MeasuredCell) -> JudgedLoad:
    rate = numbers.asked(cell.rate_per_s)
    return JudgedLoad(f"{name}, {rate}", rate, cell.rate_per_s, cell.summary.workload.workload or "")
