"""The hockey stick: what comes out, and how late, as the offered load rises; a column per setting."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.run_folder.run_state import Objective
from reports import drawing
from reports.drawing import (
    DASHED,
    SOLID,
    Anchor,
    Dash,
    Figure,
    Line,
    Margins,
    Mark,
    Panel,
    Segments,
    Span,
    Words,
)
from reports.drawing.marks import reach
from reports.figures.rate_points import base_scenario, pooled

Knee = tuple[float, float, float]  # requests/s: value, low, high; nan where unknown
UNKNOWN: Knee = (float("nan"),) * 3
MOST_COLUMNS = 6
ROWS = (("goodput_per_s", "Goodput, requests/s"), ("ttft_s", "TTFT p95, s"), ("e2e_s", "E2E p95, s"))
MARKERS = ("o", "s", "^", "D", "v")
MARGINS = Margins(left=0.75, bottom=0.95, top=0.45, between=0.1, below=0.14)


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How a setting's line is drawn: the palette's role, then as a `drawing.Line` has it."""

    role: str
    width: float
    order: float
    size: float
    dash: Dash = SOLID


BEST = LineStyle("blue", width=2.2, order=4.0, size=4.5)
OTHER = LineStyle("orange", width=1.8, order=3.0, size=4.5)
# The recommended one again, in another setting's panel.
BESIDE = LineStyle("blue", width=1.0, order=2.0, size=0.0, dash=DASHED)


def columns(points: pd.DataFrame, best: str | None, named: Collection[str]) -> list[str]:
    """The settings that have a column: the best, the `named` ones, then the others in their order, six at
    most; `points` may be `curves` too.
    """
    measured = list(dict.fromkeys(points["setting"]))
    wanted = [*([best] if best is not None else []), *named, *measured]
    return [setting for setting in dict.fromkeys(wanted) if setting in set(measured)][:MOST_COLUMNS]


def hockey_stick(
    curves: pd.DataFrame,
    slo: Objective,
    *,
    best: str | None = None,
    named: Collection[str] = (),
    capacity_per_s: float = float("nan"),
    knee: Knee = UNKNOWN,
) -> Figure:
    """Goodput, p95 TTFT and p95 E2E over the offered rate, repeats of a load `pooled`, a column for each of
    `columns` with the same axes; settings are given in words.

    In every other column the `best` one is there again as a thin line. Each workload is a line of its own,
    with its own marker, through the points of `base_scenario`; those of others are hollow. Bars are 95 %
    intervals, of the repeats the widest. The SLO's limits are dashed. `capacity_per_s` (of the probe) is
    marked where loads were that high; in the best one's column the `knee`: its capacity under the SLO with
    its ends, or where that is unknown the largest load at which it meets the SLO.
    """
    if not len(curves):
        return drawing.message("No cell that can be trusted has been measured.")
    points = pooled(curves)
    shown = columns(points, best, named)
    figure = drawing.panels(drawing.PAGE_IN, 6.6, rows=len(ROWS), columns=len(shown), margins=MARGINS)
    panels = figure.panels
    top = float(points["offered_per_s"].max()) * 1.06
    rows = [panels[at * len(shown) : (at + 1) * len(shown)] for at in range(len(ROWS))]
    for row, (column, _) in zip(rows, ROWS, strict=True):
        for panel, setting in zip(row, shown, strict=True):
            if best is not None and setting != best:
                _lines(panel, points, column, best, BESIDE)
            _lines(panel, points, column, setting, BEST if setting == best else OTHER)
    _goodput_axes(rows[0], top)
    for row, limit in zip(rows[1:], (slo.ttft_s, slo.e2e_s), strict=True):
        _latency_axes(row, limit)
    for panel in panels:
        panel.x.span(0, top)
        if capacity_per_s <= top:
            _upright(panel, capacity_per_s, "probe capacity", "grey")
    if shown[0] == best:
        for row in rows:
            _mark_knee(row[0], points, slo, best, knee)
    _words(rows, shown, best)
    drawing.legend_below(figure, _legend(panels, points, best), 0.05 * figure.width)
    return figure


def _lines(panel: Panel, points: pd.DataFrame, column: str, setting: str, style: LineStyle) -> None:
    """A line per workload of a setting, named by both where there are several workloads."""
    base = base_scenario(points)
    workloads = list(dict.fromkeys(points["workload"]))
    for at, workload in enumerate(workloads):
        every = points[points["workload"] == workload].sort_values("offered_per_s")
        own = every[every["setting"] == setting]
        line = own[own[column].notna()]
        if not len(line):
            continue
        line = _with_gaps(line, own, every, base)
        filled = (line["scenario"] == base).to_numpy(bool)
        name = setting if len(workloads) == 1 else f"{setting} · {workload}"
        marker = MARKERS[at % len(MARKERS)]
        _line(panel, line[filled], column, style, (marker, name))
        if style is not BESIDE:
            _hollow(panel, line[~filled], column, style, (marker, name))
            # The worst of several p95s may have no interval of its own, where that of another one ends below.
            own = line[line[column].between(line[f"{column}_low"], line[f"{column}_high"])]
            low, high = (own[f"{column}_{end}"].to_numpy(float) for end in ("low", "high"))
            rate = own["offered_per_s"].to_numpy(float)
            panel.add(Segments(rate, low, rate, high, style.role))


def _with_gaps(line: pd.DataFrame, own: pd.DataFrame, every: pd.DataFrame, base: str) -> pd.DataFrame:
    """The points of a line with a hole at each load between them where the setting was not measured, so that
    nothing is drawn across it."""
    elsewhere = every[(every["scenario"] == base) & ~every["rate_per_s"].isin(own["rate_per_s"])]
    inside = elsewhere[elsewhere["offered_per_s"].between(*line["offered_per_s"].agg(["min", "max"]))]
    if not len(inside):
        return line
    holes = inside.groupby("rate_per_s")["offered_per_s"].mean().to_frame().assign(scenario=base)
    return pd.concat([line, holes]).sort_values("offered_per_s")


def _line(panel: Panel, line: pd.DataFrame, column: str, style: LineStyle, look: tuple[str, str]) -> None:
    marker, name = look
    rate, value = line["offered_per_s"].to_numpy(float), line[column].to_numpy(float)
    panel.add(
        Line(
            rate, value, style.role, style.width, style.dash, marker if style.size else "", style.size,
            label=name, order=style.order,
        )
    )  # fmt: skip


def _hollow(panel: Panel, line: pd.DataFrame, column: str, style: LineStyle, look: tuple[str, str]) -> None:
    marker, name = look
    rate, value = line["offered_per_s"].to_numpy(float), line[column].to_numpy(float)
    panel.add(
        Line(
            rate, value, style.role, width=0, marker=marker, size=style.size, filled=False,
            label=f"{name}, other arrivals", order=5,
        )
    )  # fmt: skip


def _goodput_axes(row: Sequence[Panel], top: float) -> None:
    for panel in row:
        panel.add(Line([0, top], [0, top], "grey", 0.9, (2, 3), label="all served in SLO", order=1.5))
        panel.y.span(0, top)


def _latency_axes(row: Sequence[Panel], limit: float | None) -> None:
    """The same extent in the whole row, that of its lines: a logarithmic axis helps only where times differ
    by an order.
    """
    for panel in row:
        if not panel.marks:
            middle = panel.left + panel.width / 2, panel.top + panel.height / 2
            panel.words.append(Words("too few served", *middle, "muted", anchor=Anchor.MIDDLE))
        if limit:
            name = f"SLO {limit:.3g} s"
            panel.add(Span(limit, limit, "red", 1.1, DASHED, lying=True, label=name, order=1.5))
    _, (low, high) = reach(mark for panel in row for mark in panel.marks)
    spread = np.isfinite(high) and low > 0 and high / low >= 8
    for panel in row:
        panel.y.logarithmic = bool(spread)
        if spread:
            panel.y.span(low / 1.2, high * 1.2)
        else:
            panel.y.span(0, high * 1.1 if np.isfinite(high) and high > 0 else 1)


def _mark_knee(panel: Panel, points: pd.DataFrame, slo: Objective, best: str, knee: Knee) -> None:
    value, low, high = knee
    if np.isfinite(low) and np.isfinite(high):
        panel.add(Span(low, high, "green", opacity=0.08))
    if np.isfinite(value):
        _upright(panel, value, "knee: capacity under the SLO", "green")
    elif slo.attainment is not None:
        own = points[points["setting"] == best].groupby("rate_per_s")
        met = own["attainment"].min() >= slo.attainment
        if met.any():
            highest = float(own["offered_per_s"].mean()[met].max())
            _upright(panel, highest, "recommended meets the SLO up to here", "green")


def _upright(panel: Panel, x: float, name: str, role: str) -> None:
    panel.add(Span(x, x, role, 1.0, (4, 2), label=name, order=1))


def _words(rows: Sequence[Sequence[Panel]], shown: Sequence[str], best: str | None) -> None:
    """The settings above their columns, what is measured left of its row, the rate below."""
    for panel, setting in zip(rows[0], shown, strict=True):
        panel.title, panel.title_role = setting, "blue" if setting == best else "ink"
    for row, (_, text) in zip(rows, ROWS, strict=True):
        row[0].y.label = text
        for panel in row[1:]:
            panel.y.written = False
    for row in rows[:-1]:
        for panel in row:
            panel.x.written = False
    for panel in rows[-1]:
        panel.x.label = "offered, requests/s"


def _legend(panels: Sequence[Panel], points: pd.DataFrame, best: str | None) -> dict[str, Mark]:
    """What is the same in all columns; the settings have their names above."""
    settings = set(points["setting"])
    shared = {
        name: mark
        for name, mark in drawing.named(panels).items()
        if not any(name == one or name.startswith((f"{one} ·", f"{one},")) for one in settings)
    }
    beside = [line for panel in panels for line in panel.lines if line.label == best and not line.marker]
    if beside:
        shared = {"recommended, for comparison": beside[0], **shared}
    workloads = list(dict.fromkeys(points["workload"]))
    if len(workloads) > 1:
        for at, workload in enumerate(workloads):
            shared[str(workload)] = Line([], [], "muted", width=0, marker=MARKERS[at % len(MARKERS)])
    return shared
