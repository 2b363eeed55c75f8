"""What the page needs to judge a run by another objective in the browser, without a server (`judge.js`)."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from experiments.decide import of_race
from experiments.decide.neighbours import count_of
from experiments.decide.nominal_load import nominal_load
from experiments.decide.participants import Participants, participants
from experiments.design.cell_purpose import CellPurpose
from experiments.errors import UndecidedError, UserError
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.run_folder.run_state import Objective
from experiments.spec.setting import Setting
from experiments.stats.choice import INDIFFERENCE
from experiments.stats.common_blocks import weights_on_common_blocks
from experiments.stats.goodput import RUN_TO_RUN, half_widths
from experiments.stats.stretch import t_half_width
from loadtests.slo import SLO
from reports import figures, numbers, packed_cell, tables
from reports.bound_grid import bounds_s
from reports.common_blocks import weights_by_setting
from reports.rows import CellRow, rows_of
from reports.run import Run

DIGITS = 3
"""Of a bound that can be chosen: steps of 0.1 to 1 %."""
MOST_REQUESTS = 1.2e6
"""Of a run whose bounds have so many digits; above, they have one less, so that the page stays small."""


@dataclass(frozen=True, slots=True)
class JudgedCell:
    """One cell. `arrivals`: the same number where cells met the same; `packed`: see `packed_cell`, "" where
    its records cannot be read; of several load classes one after the other, dots between them.
    `offered_of`: requests of each of these classes."""

    anchor: str
    offered: float
    offered_of: list[float]
    offered_per_s: float
    window_s: float
    arrivals: int
    packed: str


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over cells, by position; where settings have different blocks it is brought to the same
    arrivals, and each cell has a weight. Nothing is known without a cell."""

    cells: list[int]
    weights: list[float] | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """One box of the heat maps: its setting in words, the mean that it shows, whether its cells are valid."""

    setting: str
    mean: Mean
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
    """A setting that is chosen among. For each load in order: its goodput as it is held against the others',
    its cells by position, those whose numbers are told, and what these are."""

    setting: str
    means: list[Mean]
    cells: list[list[int]]
    told: list[list[int]]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class JudgedChoice:
    """What a choice is made from. `contenders`: the most modest first; `bars`: for each load the goodputs of
    others that count for the best one. `nominal`: at which load every load class has to be satisfied.
    `undecided`: why there is no choice. `raced`: the run's own is made by joint draws."""

    loads: list[JudgedLoad]
    contenders: list[Contender]
    bars: list[list[Mean]]
    nominal: int
    undecided: str
    raced: bool


@dataclass(frozen=True, slots=True)
class MovedObjective:
    """What some requests are judged by: those of a load class, or all where its name is "". `fixed`: terms
    that cannot be moved."""

    name: str
    ttft_s: float | None
    tpot_s: float | None
    e2e_s: float | None
    attainment: float
    fixed: str


@dataclass(frozen=True, slots=True)
class JudgeSection:
    """Everything `judge.js` reads. `common`: the part of the objective that is before those of load classes.
    `half_widths`: blocks → of the interval of a paired difference, in standard errors. `share_widths`: of the
    interval of a mean attainment, in standard deviations.
    """

    objectives: list[MovedObjective]
    common: str
    digits: int
    run: str
    cells: list[JudgedCell]
    boxes: list[Box]
    choice: JudgedChoice
    half_widths: dict[int, float]
    share_widths: dict[int, float]
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
    return all(_whole(own) for _, own in _parts(objective))


def _parts(objective: Objective) -> Sequence[tuple[str, SLO | Objective]]:
    """The objective of each load class, or that of all under no name."""
    return objective.classes or (("", objective),)


def _whole(objective: SLO | Objective) -> bool:
    every = (objective.ttft_s, objective.tpot_s, objective.e2e_s, objective.ttfv_s)
    share, bounds = objective.attainment, [bound for bound in every if bound is not None]
    times = all(math.isfinite(bound) and bound > 0 for bound in bounds)
    return bool(bounds) and times and share is not None and 0 < share <= 1


def digits(run: Run) -> int:
    """Significant digits of the bounds that can be chosen."""
    return DIGITS if run.cells["offered"].sum() <= MOST_REQUESTS else DIGITS - 1


def packed(objective: Objective, measured: pd.DataFrame, digits: int) -> str:
    """The measured records of one cell for the page; "" where they or the objective are not whole."""
    needed = {"first_s", *packed_cell.AXES, *["class"] * bool(objective.classes)}
    if not needed <= set(measured.columns) or not len(measured) or not movable(objective):
        return ""
    parts = []
    for load_class, own in _parts(objective):
        mine = measured[measured["class"] == load_class] if load_class else measured
        bounds = [bounds_s(digits, getattr(own, name)) for name in packed_cell.AXES]
        parts.append(packed_cell.packed(mine, bounds, SLO(ttfv_s=own.ttfv_s)))
    return ".".join(parts)


def judge_section(run: Run, packed_cells: Mapping[str, str]) -> JudgeSection | None:
    """All of a run's cells with their histograms by id; None where there is no objective to start from."""
    if not movable(run.slo) or not any(packed_cells.values()):
        return None
    rows = rows_of(run.cells, CellRow)
    at = {row.cell: position for position, row in enumerate(rows)}
    known = {cell for cell, packed in packed_cells.items() if packed}
    arrivals = {key: number for number, key in enumerate(dict.fromkeys(map(_arrivals, rows)))}
    choice = _choice(run, known, at)
    most_blocks = max((len(cells) for one in choice.contenders for cells in one.cells), default=0)
    return JudgeSection(
        objectives=[_moved(name, own) for name, own in _parts(run.slo)],
        common=str(run.slo.slo.common) if run.slo.classes else "",
        digits=digits(run),
        run=f"{run.path.parent.name}/{run.path.name}",
        cells=[_cell(run, row, arrivals[_arrivals(row)], packed_cells.get(row.cell, "")) for row in rows],
        boxes=_boxes(run, known, at),
        choice=choice,
        half_widths=half_widths(most_blocks),
        share_widths={n: t_half_width(n) for n in range(3, len(rows) + 1)} if run.slo.classes else {},
    )


def _arrivals(row: CellRow) -> tuple[str, str]:
    return f"{row.block:g}", row.plan_hash


def _moved(name: str, own: SLO | Objective) -> MovedObjective:
    fixed = "" if own.ttfv_s is None else str(SLO(ttfv_s=own.ttfv_s)).split(",")[0]
    return MovedObjective(name, own.ttft_s, own.tpot_s, own.e2e_s, own.attainment or 0.0, fixed)


def _cell(run: Run, row: CellRow, arrivals: int, packed: str) -> JudgedCell:
    summary = run.summaries.get(row.cell)
    classes = (summary.classes if summary is not None else None) or {}
    offered_of = [
        float(classes[name].counts.offered) if name in classes else 0.0 for name, _ in run.slo.classes
    ] or [row.offered]
    return JudgedCell(
        tables.anchor(row.cell), row.offered, offered_of, row.offered_per_s, row.window_s, arrivals, packed
    )


def _boxes(run: Run, known: Collection[str], at: Mapping[str, int]) -> list[Box]:
    """The boxes in the order of `figures.grid`, each with the mean that it takes there."""
    cells = run.naming.columns(run.matrix)
    shown = cells["cell"].isin(known) & (cells["setting"] != "") & figures.counted(cells)
    weights = {str(load): _weights(of) for load, of in cells[shown].groupby("load", sort=False)}
    grid = figures.grid(cells, run.latency, "goodput_per_s")
    drawn = zip(grid["load"], grid["setting"], grid["valid"], strict=True)
    return [
        Box(str(name), _mean(weights.get(str(load), {}).get(str(name), {}), at), bool(valid))
        for load, name, valid in drawn
    ]


def _weights(of_load: pd.DataFrame) -> Mapping[str, Mapping[str, float]]:
    """Setting → cell → its weight in the box, as `figures.grid` has it: invalid ones are among themselves."""
    usable = ~of_load["validity"].isin(["invalid", "missing"])
    alone = {
        str(setting): dict.fromkeys(map(str, cells), 1 / len(cells))
        for setting, cells in of_load[~usable].groupby("setting")["cell"]
    }
    return {**alone, **weights_by_setting(of_load[usable])}


def _mean(weights: Mapping[str, float], at: Mapping[str, int]) -> Mean:
    """A plain mean says so: it is then the same number to the last digit."""
    cells = [at[cell] for cell in weights]
    plain = all(weight == 1 / len(cells) for weight in weights.values())
    return Mean(cells, None if plain else list(weights.values()))


def _choice(run: Run, known: Collection[str], at: Mapping[str, int]) -> JudgedChoice:
    """Who is chosen among, by what; the cells that are not `known` take no part."""
    cells = [
        MeasuredCell(name, run.path / "cells" / name, summary.setting, summary)
        for name, summary in sorted(run.summaries.items())
        if summary.setting is not None and name in known
    ]
    try:
        found = participants(run.path, cells)
    except (UserError, UndecidedError) as error:
        return JudgedChoice([], [], [], 0, f"{error}".replace(f"{run.path}", run.name), raced=False)
    one_of = {load: found.choosing(found.contenders[0], load)[0] for load in found.loads}
    loads = sorted(found.loads, key=lambda load: (one_of[load].rate_per_s, load))
    means = [_means(found, load, at) for load in loads]
    return JudgedChoice(
        [_load(load, one_of[load]) for load in loads],
        [
            _contender(run.naming.of(setting), found, setting, loads, [of[setting] for of in means], at)
            for setting in sorted(found.contenders, key=lambda setting: setting.smaller_first)
        ],
        [
            [of[setting] for setting in found.best_of(load) if setting not in found.contenders]
            for load, of in zip(loads, means, strict=True)
        ],
        loads.index(nominal_load({load: cell for load, cell in one_of.items() if load in loads})),
        "",
        raced=bool(of_race.settings_of(run.path)),
    )


def _means(found: Participants, load: str, at: Mapping[str, int]) -> dict[Setting, Mean]:
    """Of every setting that can be compared at a load."""
    named = {
        setting: {cell.arrivals: cell.id for cell in cells}
        for setting, cells in found.measured_at(load).items()
    }
    return {
        setting: _mean({named[other][block]: weight for (other, block), weight in of.items()}, at)
        for setting, of in weights_on_common_blocks(named).items()
    }


def _contender(
    name: str,
    found: Participants,
    setting: Setting,
    loads: Sequence[str],
    means: list[Mean],
    at: Mapping[str, int],
) -> Contender:
    cells = [found.choosing(setting, load) for load in loads]
    confirming = [
        [c for c in found.cells[setting] if c.purpose is CellPurpose.VALIDATION and c.load == load]
        for load in loads
    ]
    return Contender(
        name,
        means,
        [[at[cell.id] for cell in of] for of in cells],
        [[at[cell.id] for cell in told or of] for of, told in zip(cells, confirming, strict=True)],
        [f"{count_of(len(of))} that took no part in the choice" if of else "" for of in confirming],
    )


def _load(name: str, cell: MeasuredCell) -> JudgedLoad:
    rate = numbers.asked(cell.rate_per_s)
    return JudgedLoad(f"{name}, {rate}", rate, cell.rate_per_s, cell.summary.workload.workload or "")
