"""Heat map over MAX_ACTIVE × queue setting, one panel per offered load."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loadtests.look import palette
from reports import drawing, numbers
from reports.common_blocks import mean_by_setting
from reports.drawing import PAGE_IN, SIZE, Axis, Figure, Hatch, Margins, Panel, Rectangle
from reports.rows import CellRow, rows_of

# what → (title, how repeats are joined, number shown, is more better)
WHATS = {
    "goodput_per_s": ("Goodput, requests/s", "mean", "plain", True),
    "attainment": ("Attainment, share of offered served in SLO", "mean", "percent", True),
    "ttft_p95_s": ("TTFT p95", "max", "seconds", False),
    "e2e_p95_s": ("E2E p95", "max", "seconds", False),
    "refused": ("Rejected or timed out in the queue, share of offered", "mean", "percent", False),
}

_JUDGED = ("goodput_per_s", "attainment")


def title(what: str) -> str:
    """What a heat map shows, with its unit."""
    return WHATS[what][0]


def join(what: str) -> str:
    """How repeats of a cell are joined: mean or max."""
    return WHATS[what][1]


@dataclass(frozen=True, slots=True)
class GridRow:
    """One box of a heat map. value: nan when unmeasured, n is too small, or no arrivals are common with the
    others'; stretches: how many of its cells were measured; usable: how many of these count; valid: whether
    any does."""

    load: str
    max_active: float
    queue: str
    setting: str
    value: float
    valid: bool
    stretches: int
    usable: int


def grid(cells: pd.DataFrame, latency: pd.DataFrame, what: str) -> pd.DataFrame:
    """The numbers of a heat map, a row per setting and load: the columns of `GridRow`, and its cells.

    `what` is a key of WHATS. Repeats of a cell that count (`counted`) are joined by the mean of rates and
    shares, brought to the same arrivals where settings have different blocks, and by the worst of a quantile
    (quantiles are never averaged).
    """
    rows = rows_of(cells, CellRow)
    frame = cells.assign(
        value=_values(cells, latency, what).where(counted(cells)),
        queue=[" · ".join(part for part in (row.queue, row.knobs) if part) for row in rows],
        usable=[row.usable for row in rows],
        measured=[row.validity != "missing" for row in rows],
    )
    frame = frame[frame["setting"] != ""]  # a cell of unknown setting has no place in a matrix
    frame = frame.sort_values(["workload", "rate_per_s", "scenario", "max_active"], kind="stable")
    grouped = frame.groupby(["load", "max_active", "queue", "setting"], sort=False, dropna=False)
    joined = grouped.agg(
        value=("value", "max"),
        valid=("usable", "any"),
        stretches=("measured", "sum"),
        usable=("usable", "sum"),
        cells=("cell", list),
    ).reset_index()
    if WHATS[what][1] == "mean":
        means = {load: _means(of) for load, of in frame.groupby("load", sort=False)}
        keys = zip(joined["load"], joined["setting"], strict=True)
        joined["value"] = [means[load].get(setting, np.nan) for load, setting in keys]
    return joined


def counted(cells: pd.DataFrame) -> pd.Series:
    """Whether a cell is part of its box's number: those not stamped invalid; of a setting that has no other
    at a load, all."""
    usable = ~cells["validity"].isin(["invalid", "missing"])
    return usable | ~usable.groupby([cells["load"], cells["setting"]]).transform("any")


def _means(of_load: pd.DataFrame) -> dict[str, float]:
    """Setting → mean. What does not count for itself counts for no other setting's either."""
    alone = of_load[~of_load["usable"]].groupby("setting")["value"].mean()
    own = {str(setting): float(value) for setting, value in alone.items()}
    return {**own, **mean_by_setting(of_load[of_load["usable"]], "value")}


def unequal(grid: pd.DataFrame) -> bool:
    """Whether the boxes rest on different numbers of stretches, or some are missing."""
    boxes = grid[["max_active", "queue"]].drop_duplicates()
    if len(grid) < len(boxes) * grid["load"].nunique() or grid["stretches"].nunique() > 1:
        return True
    return in_part(grid)


def in_part(grid: pd.DataFrame) -> bool:
    """Whether there is a box of which some stretches count and others do not."""
    return bool(grid["usable"].between(0, grid["stretches"], inclusive="neither").any())


def _values(cells: pd.DataFrame, latency: pd.DataFrame, what: str) -> pd.Series:
    if what in _JUDGED:
        return cells[what].astype(float)
    if what == "refused":
        return (cells["rejected"] + cells["timed_out"]) / cells["offered"].where(cells["offered"] > 0)
    metric = what.removesuffix("_p95_s") + "_s"
    chosen = latency[(latency["metric"] == metric) & (latency["quantile"] == "p95")]
    return cells["cell"].map(chosen.set_index("cell")["value_s"]).astype(float)


def heat_map(
    grid: pd.DataFrame,
    what: str = "goodput_per_s",
    *,
    best: str | None = None,
    inseparable: Collection[str] = (),
) -> Figure:
    """Draw `grid(…, what)`: the setting `best` is outlined, `inseparable` ones are hatched, boxes without a
    valid cell are grey with a cross. Settings are given in words.

    The shade is one of seven steps, common to all panels; every box also carries its number, and how many
    stretches it rests on where these differ: `n 3`, or `1 of 3` where the others are invalid. A setting that
    was not measured at a load has a dash there.
    """
    if not len(grid):
        return drawing.message("No cell has been measured.")
    loads = list(dict.fromkeys(grid["load"]))
    queues = list(dict.fromkeys(grid["queue"]))
    # An engine without a gateway has no MAX_ACTIVE: its column stands last, under a dash.
    actives = [numbers.bare(float(a)) for a in sorted(grid["max_active"].unique(), key=_nan_last)]
    left = max(1.35, 0.3 + 0.075 * max(map(len, queues)))
    fitting = int((PAGE_IN - left) / (0.6 + 0.5 * len(actives)))
    rows = -(-len(loads) // min(max(fitting, 1), 4))
    columns = -(-len(loads) // rows)
    width = min(PAGE_IN, max(4.6, left + 0.35 + columns * (0.9 + 0.62 * len(actives))))
    height = rows * (0.95 + 0.42 * len(queues)) + 0.1
    margins = Margins(left=left, between=0.08, below=0.75)
    figure = drawing.panels(width, height, rows=rows, columns=columns, margins=margins)
    del figure.panels[len(loads) :]
    ends, counts = _ends(grid), unequal(grid)
    known = set(zip(grid["max_active"].map(numbers.bare), grid["queue"], strict=True))
    for at, (panel, load) in enumerate(zip(figure.panels, loads, strict=True)):
        _frame(panel, load, actives, queues, first=at % columns == 0)
        missing = set(known)
        own = grid[grid["load"] == load]
        for row, box in zip(own.index, rows_of(own, GridRow), strict=True):
            where = (actives.index(numbers.bare(box.max_active)), queues.index(box.queue))
            _box(panel, where, box, what, ends, f"{row}", counts=counts)
            _marks(panel, where, box.setting, best, inseparable)
            missing.discard((numbers.bare(box.max_active), box.queue))
        for active, queue in missing:
            panel.write(numbers.DASH, actives.index(active), queues.index(queue), role="muted")
    return figure


def _nan_last(value: float) -> tuple[bool, float]:
    return bool(np.isnan(value)), value


def _ends(grid: pd.DataFrame) -> tuple[float, float]:
    usable = grid.loc[grid["valid"], "value"].dropna()
    return (float(usable.min()), float(usable.max())) if len(usable) else (0.0, 1.0)


def _frame(panel: Panel, load: str, actives: list[str], queues: list[str], *, first: bool) -> None:
    panel.title, panel.floor = load, False
    label = "MAX_ACTIVE" if actives != [numbers.DASH] else "engine alone: no gateway limits"
    columns, rows = range(len(actives)), range(len(queues))
    panel.x = Axis(-0.5, len(actives) - 0.5, label=label, ticks=columns, names=actives, grid=False)
    panel.y = Axis(len(queues) - 0.5, -0.5, ticks=rows, names=queues, grid=False, written=first)


def _box(
    panel: Panel,
    where: tuple[int, int],
    box: GridRow,
    what: str,
    ends: tuple[float, float],
    mark: str,
    *,
    counts: bool,
) -> None:
    _, _, show, more_is_better = WHATS[what]
    fill, ink = "shade", "muted"
    if box.valid and np.isfinite(box.value):
        name, steps = ("cool", len(palette.COOL)) if more_is_better else ("warm", len(palette.WARM))
        low, high = ends
        share = (box.value - low) / (high - low) if high > low else 0.0
        step = int(np.clip(share * steps, 0, steps - 1))
        fill, ink = f"{name}{step}", f"on-{name}{step}"
    x, y = where
    panel.add(Rectangle(x - 0.5, y - 0.5, x + 0.5, y + 0.5, "surface", 1.5, fill, mark=f"{mark}-box"))
    texts = {"plain": numbers.significant, "seconds": numbers.seconds, "percent": numbers.percent}
    text = texts[show](box.value) + (" ×" if np.isfinite(box.value) and not box.valid else "")
    panel.write(text, x, y - 0.14 if counts else y, role=ink, mark=f"{mark}-text")
    if counts:
        n = f"n {box.stretches}" if box.usable == box.stretches else f"{box.usable} of {box.stretches}"
        panel.write(n, x, y + 0.27, role=ink, size=SIZE * 0.72, mark=f"{mark}-count")


def _marks(
    panel: Panel, where: tuple[int, int], setting: str, best: str | None, inseparable: Collection[str]
) -> None:
    x, y = where
    if setting in inseparable and setting != best:
        panel.add(Hatch(x + 0.05, y + 0.05, x + 0.5, y + 0.5, mark="near"))
    if setting == best:
        panel.add(Rectangle(x - 0.46, y - 0.46, x + 0.46, y + 0.46, "orange", 2.4, mark="best", order=4))
