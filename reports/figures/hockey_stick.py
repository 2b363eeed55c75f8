"""The hockey stick: what comes out, and how late, as the offered load rises; a column per setting."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.run_folder.run_state import Objective
from loadtests.look.palette import light
from reports.figures import canvas
from reports.figures.rate_points import base_scenario, pooled

Knee = tuple[float, float, float]  # requests/s: value, low, high; nan where unknown
UNKNOWN: Knee = (float("nan"),) * 3
MOST_COLUMNS = 6
ROWS = (("goodput_per_s", "Goodput, requests/s"), ("ttft_s", "TTFT p95, s"), ("e2e_s", "E2E p95, s"))
MARKERS = ("o", "s", "^", "D", "v")
MARGINS = canvas.Margins(left=0.75, bottom=0.95, top=0.45, wspace=0.1, hspace=0.14)


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How a setting's line is drawn: the palette's role, then as in matplotlib."""

    role: str
    width: float
    order: float
    size: float
    dash: str = "-"


BEST = LineStyle("blue", width=2.2, order=4.0, size=4.5)
OTHER = LineStyle("orange", width=1.8, order=3.0, size=4.5)
# The recommended one again, in another setting's panel.
BESIDE = LineStyle("blue", width=1.0, order=2.0, size=0.0, dash="--")


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
        return canvas.message("No cell that can be trusted has been measured.")
    points = pooled(curves)
    shown = columns(points, best, named)
    figure, panels = canvas.axes(canvas.PAGE_IN, 6.6, rows=3, columns=len(shown), margins=MARGINS)
    top = float(points["offered_per_s"].max()) * 1.06
    rows = [panels[at * len(shown) : (at + 1) * len(shown)] for at in range(len(ROWS))]
    for row, (column, _) in zip(rows, ROWS, strict=True):
        for ax, setting in zip(row, shown, strict=True):
            if best is not None and setting != best:
                _lines(ax, points, column, best, BESIDE)
            _lines(ax, points, column, setting, BEST if setting == best else OTHER)
    _goodput_axes(rows[0], top)
    for row, limit in zip(rows[1:], (slo.ttft_s, slo.e2e_s), strict=True):
        _latency_axes(row, limit)
    for ax in panels:
        ax.set_xlim(0, top)
        if capacity_per_s <= top:
            _upright(ax, capacity_per_s, "probe capacity", "grey")
    if shown[0] == best:
        for row in rows:
            _mark_knee(row[0], points, slo, best, knee)
    _words(rows, shown, best)
    _legend(figure, panels, points, best)
    return figure


def _lines(ax: Axes, points: pd.DataFrame, column: str, setting: str, style: LineStyle) -> None:
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
        _line(ax, line[filled], column, style, (marker, name))
        if style is not BESIDE:
            _hollow(ax, line[~filled], column, style, (marker, name))
            # The worst of several p95s may have no interval of its own, where that of another one ends below.
            own = line[line[column].between(line[f"{column}_low"], line[f"{column}_high"])]
            low, high = (own[f"{column}_{end}"].to_numpy(float) for end in ("low", "high"))
            ax.vlines(own["offered_per_s"].to_numpy(float), low, high, color=light(style.role), linewidth=1.2)


def _with_gaps(line: pd.DataFrame, own: pd.DataFrame, every: pd.DataFrame, base: str) -> pd.DataFrame:
    """The points of a line with a hole at each load between them where the setting was not measured, so that
    nothing is drawn across it."""
    elsewhere = every[(every["scenario"] == base) & ~every["rate_per_s"].isin(own["rate_per_s"])]
    inside = elsewhere[elsewhere["offered_per_s"].between(*line["offered_per_s"].agg(["min", "max"]))]
    if not len(inside):
        return line
    holes = inside.groupby("rate_per_s")["offered_per_s"].mean().to_frame().assign(scenario=base)
    return pd.concat([line, holes]).sort_values("offered_per_s")


def _line(ax: Axes, line: pd.DataFrame, column: str, style: LineStyle, look: tuple[str, str]) -> None:
    marker, name = look
    ax.plot(
        line["offered_per_s"].to_numpy(float), line[column].to_numpy(float), label=name,
        color=light(style.role), linewidth=style.width, linestyle=style.dash,
        marker=marker, markersize=style.size, zorder=style.order,
    )  # fmt: skip


def _hollow(ax: Axes, line: pd.DataFrame, column: str, style: LineStyle, look: tuple[str, str]) -> None:
    marker, name = look
    ax.plot(
        line["offered_per_s"].to_numpy(float), line[column].to_numpy(float), label=f"{name}, other arrivals",
        linestyle="none", color=light(style.role), marker=marker, markersize=style.size,
        markerfacecolor=light("surface"), zorder=5,
    )  # fmt: skip


def _goodput_axes(row: Sequence[Axes], top: float) -> None:
    for ax in row:
        ax.plot(
            [0, top], [0, top], color=light("grey"), linewidth=0.9, linestyle=(0, (2, 3)),
            label="all served in SLO",
        )  # fmt: skip
        ax.set_ylim(0, top)


def _latency_axes(row: Sequence[Axes], limit: float | None) -> None:
    """The same extent in the whole row, that of its lines: a logarithmic axis helps only where times differ
    by an order.
    """
    for ax in row:
        if not ax.lines:
            ax.text(0.5, 0.5, "too few served", transform=ax.transAxes, ha="center", color=light("muted"))
        if limit:
            ax.axhline(limit, color=light("red"), linewidth=1.1, linestyle="--", label=f"SLO {limit:.3g} s")
    low, high = min(ax.dataLim.y0 for ax in row), max(ax.dataLim.y1 for ax in row)
    spread = np.isfinite(high) and low > 0 and high / low >= 8
    for ax in row:
        if not spread:
            ax.set_ylim(0, high * 1.1 if np.isfinite(high) and high > 0 else 1)
            continue
        ax.set_yscale("log")
        ends = low / 1.2, high * 1.2
        at = [m * 10.0**e for e in range(-4, 4) for m in (1, 2, 5) if ends[0] <= m * 10.0**e <= ends[1]]
        ax.set_yticks(at)
        ax.set_yticks([], minor=True)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.set_ylim(*ends)


def _mark_knee(ax: Axes, points: pd.DataFrame, slo: Objective, best: str, knee: Knee) -> None:
    value, low, high = knee
    if np.isfinite(low) and np.isfinite(high):
        ax.axvspan(low, high, color=light("green"), alpha=0.08, linewidth=0, zorder=0)
    if np.isfinite(value):
        _upright(ax, value, "knee: capacity under the SLO", "green")
    elif slo.attainment is not None:
        own = points[points["setting"] == best].groupby("rate_per_s")
        met = own["attainment"].min() >= slo.attainment
        if met.any():
            highest = float(own["offered_per_s"].mean()[met].max())
            _upright(ax, highest, "recommended meets the SLO up to here", "green")


def _upright(ax: Axes, x: float, name: str, role: str) -> None:
    ax.axvline(x, color=light(role), linewidth=1.0, linestyle=(0, (4, 2)), zorder=1, label=name)


def _words(rows: Sequence[Sequence[Axes]], shown: Sequence[str], best: str | None) -> None:
    """The settings above their columns, what is measured left of its row, the rate below."""
    for ax, setting in zip(rows[0], shown, strict=True):
        canvas.title(ax, setting, "blue" if setting == best else "ink")
    for row, (_, text) in zip(rows, ROWS, strict=True):
        row[0].set_ylabel(text)
        for ax in row[1:]:
            ax.set_yticklabels([])
    for row in rows[:-1]:
        for ax in row:
            ax.set_xticklabels([])
    for ax in rows[-1]:
        ax.set_xlabel("offered, requests/s")


def _legend(figure: Figure, panels: Sequence[Axes], points: pd.DataFrame, best: str | None) -> None:
    """What is the same in all columns; the settings have their names above."""
    found = {str(line.get_label()): line for ax in reversed(panels) for line in ax.lines}
    settings = set(points["setting"])
    shared = {
        name: line
        for name, line in found.items()
        if not any(name == one or name.startswith((f"{one} ·", f"{one},")) for one in settings)
    }
    beside = [
        line for ax in panels for line in ax.lines if line.get_label() == best and line.get_markersize() == 0
    ]
    if beside:
        shared = {"recommended, for comparison": beside[0], **shared}
    workloads = list(dict.fromkeys(points["workload"]))
    names = [canvas.literal(name) for name in shared]
    handles = list(shared.values())
    if len(workloads) > 1:
        for at, workload in enumerate(workloads):
            handles.append(canvas.marker(MARKERS[at % len(MARKERS)]))
            names.append(canvas.literal(str(workload)))
    figure.legend(
        handles, names, loc="lower left", bbox_to_anchor=(0.04, 0.0), ncols=4, frameon=False,
        fontsize=canvas.SIZE - 0.6, labelcolor=light("ink"),
    )  # fmt: skip
