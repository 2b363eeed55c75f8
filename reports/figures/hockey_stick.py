"""The hockey stick: what comes out, and how late, as the offered load rises; one line per setting."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.run_folder.run_state import Objective
from loadtests.look.palette import light
from reports.common_blocks import mean_by_setting
from reports.figures import canvas

Knee = tuple[float, float, float]  # requests/s: value, low, high; nan where unknown
UNKNOWN: Knee = (float("nan"),) * 3
NAMED = (("sky", "s", "--"), ("purple", "D", "-."), ("green", "^", ":"), ("amber", "v", "--"))


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How one setting's line is drawn: the palette's role, then as in matplotlib."""

    role: str
    width: float
    order: float
    marker: str = "o"
    size: float = 4.0
    dash: str = "-"
    alpha: float = 1.0


GREY = LineStyle("grey", width=0.9, order=1.5, size=2.5, alpha=0.6)
BEST = LineStyle("blue", width=2.4, order=4.0, size=5.0)
MARGINS = canvas.Margins(bottom=0.85, top=0.4, wspace=0.24)
LATENCIES = (("ttft_s", "TTFT p95, s"), ("e2e_s", "E2E p95, s"))
MEASURED = (
    "cell",
    "setting",
    "workload",
    "scenario",
    "block",
    "plan_hash",
    "rate_per_s",
    "offered_per_s",
    "goodput_per_s",
    "goodput_per_s_low",
    "goodput_per_s_high",
    "attainment",
)


def curves(cells: pd.DataFrame, latency: pd.DataFrame) -> pd.DataFrame:
    """The points of the curves, a row per cell that is not stamped invalid.

    goodput_per_s, ttft_s and e2e_s (both p95) each have NAME_low and NAME_high beside them; nan where
    unknown.
    """
    usable = cells[~cells["validity"].isin(["invalid", "missing"]) & cells["offered_per_s"].notna()]
    ends = {"goodput_low_per_s": "goodput_per_s_low", "goodput_high_per_s": "goodput_per_s_high"}
    out = usable.rename(columns=ends)[list(MEASURED)].copy()
    for metric, _ in LATENCIES:
        p95 = latency[(latency["metric"] == metric) & (latency["quantile"] == "p95")].set_index("cell")
        for column, end in ((metric, "value_s"), (f"{metric}_low", "low_s"), (f"{metric}_high", "high_s")):
            out[column] = out["cell"].map(p95[end]).astype(float)
    order = ["setting", "workload", "scenario", "block", "offered_per_s"]
    return out.sort_values(order, kind="stable").reset_index(drop=True)


def pooled(curves: pd.DataFrame) -> pd.DataFrame:
    """One point for each setting and load: over its blocks the mean of the rates, brought to the same
    arrivals where settings have different blocks, the worst of the p95s (quantiles are never averaged), the
    outermost ends of their intervals. Attainment is over all offered requests.
    """
    weighed = curves.assign(_good=curves["attainment"] * curves["offered_per_s"])
    latencies = [metric for metric, _ in LATENCIES]
    how = dict.fromkeys(("offered_per_s", "goodput_per_s", "_good"), "mean")
    how |= dict.fromkeys(latencies, "max")
    for name in ("goodput_per_s", *latencies):
        how |= {f"{name}_low": "min", f"{name}_high": "max"}
    by = ["setting", "workload", "scenario", "rate_per_s"]
    points = weighed.groupby(by, sort=False, dropna=False).agg(how).reset_index()
    points = points.assign(attainment=points["_good"] / points["offered_per_s"]).drop(columns="_good")
    for name in ("offered_per_s", "goodput_per_s"):
        means = {
            load: mean_by_setting(of, name) for load, of in weighed.groupby(by[1:], sort=False, dropna=False)
        }
        loads = points[by[1:]].itertuples(index=False, name=None)
        rows = zip(loads, points["setting"], points[name], strict=True)
        brought = [means.get(load, {}).get(setting, plain) for load, setting, plain in rows]
        if name == "goodput_per_s":
            shift = pd.Series(brought, index=points.index) - points[name]
            points = points.assign(
                **{f"{name}_{end}": points[f"{name}_{end}"] + shift for end in ("low", "high")}
            )
        points[name] = brought
    return points


def hockey_stick(
    curves: pd.DataFrame,
    slo: Objective,
    *,
    best: str | None = None,
    named: Collection[str] = (),
    capacity_per_s: float = float("nan"),
    knee: Knee = UNKNOWN,
) -> Figure:
    """Goodput, p95 TTFT and p95 E2E over the offered rate, repeats of a load `pooled`.

    Of the settings, given in words, `best` is bold with its 95 % band, up to four `named` ones are in
    colour, the rest is grey. Each workload is a line of its own through the points of `base_scenario`; those
    of others are hollow. The SLO's limits are dashed lines. `capacity_per_s` (of the probe) is marked, and so
    is the `knee`: the capacity of `best` under the SLO with its ends; where that is unknown, the largest load
    at which `best` meets the SLO.
    """
    if not len(curves):
        return canvas.message("No cell that can be trusted has been measured.")
    points = pooled(curves)
    figure, panels = canvas.axes(11.6, 3.7, columns=3, margins=MARGINS)
    columns = ("goodput_per_s", *(metric for metric, _ in LATENCIES))
    for ax, column in zip(panels, columns, strict=True):
        _lines(ax, points, column, _styles(named, best), best)
    top = float(points["offered_per_s"].max()) * 1.06
    _goodput_panel(panels[0], top)
    for ax, (_, text), limit in zip(panels[1:], LATENCIES, (slo.ttft_s, slo.e2e_s), strict=True):
        _latency_panel(ax, text, limit)
    marks = _marks(points, slo, best, capacity_per_s, knee[0])
    for ax in panels:
        if np.isfinite(knee[1]) and np.isfinite(knee[2]):
            ax.axvspan(knee[1], knee[2], color=light("green"), alpha=0.08, linewidth=0, zorder=0)
        ax.set_xlabel("offered, requests/s")
        ax.set_xlim(0, top)
        for x, text, role in marks:
            ax.axvline(x, color=light(role), linewidth=1.0, linestyle=(0, (4, 2)), zorder=1, label=text)
    _legend(figure, panels[0])
    return figure


def _styles(named: Collection[str], best: str | None) -> dict[str, LineStyle]:
    styles = {} if best is None else {best: BEST}
    others = [setting for setting in named if setting != best]
    for setting, (role, marker, dash) in zip(others, NAMED, strict=False):
        styles[setting] = LineStyle(role, width=1.5, order=3.0, marker=marker, dash=dash)
    return styles


def base_scenario(curves: pd.DataFrame) -> str:
    """The scenario whose points are filled: `sustained` where there is one, else the first by name."""
    names = sorted(curves["scenario"].unique())
    return "sustained" if "sustained" in names or not names else str(names[0])


def _lines(
    ax: Axes, points: pd.DataFrame, column: str, styles: Mapping[str, LineStyle], best: str | None
) -> None:
    """A line per setting and workload; a setting is named once."""
    named: set[str] = set()
    base = base_scenario(points)
    ascending = points.sort_values("offered_per_s")
    owners = list(zip(ascending["setting"], ascending["workload"], strict=True))
    for setting, workload in dict.fromkeys(owners):
        own = ascending[[owner == (setting, workload) for owner in owners]]
        line = own[own[column].notna()]
        if not len(line):
            continue
        line = _with_gaps(line, own, ascending[ascending["workload"] == workload], base)
        style = styles.get(setting, GREY)
        name = setting if setting in styles and setting not in named else None
        named.add(setting)
        filled = (line["scenario"] == base).to_numpy(bool)
        _line(ax, line[filled], column, style, name)
        _hollow(ax, line[~filled], column, style)
        if setting == best:
            _band(ax, line, column, filled)


def _with_gaps(line: pd.DataFrame, own: pd.DataFrame, every: pd.DataFrame, base: str) -> pd.DataFrame:
    """The points of a line with a hole at each load between them where the setting was not measured, so that
    nothing is drawn across it."""
    elsewhere = every[(every["scenario"] == base) & ~every["rate_per_s"].isin(own["rate_per_s"])]
    inside = elsewhere[elsewhere["offered_per_s"].between(*line["offered_per_s"].agg(["min", "max"]))]
    if not len(inside):
        return line
    holes = inside.groupby("rate_per_s")["offered_per_s"].mean().to_frame().assign(scenario=base)
    return pd.concat([line, holes]).sort_values("offered_per_s")


def _line(ax: Axes, line: pd.DataFrame, column: str, style: LineStyle, name: str | None) -> None:
    ax.plot(
        line["offered_per_s"].to_numpy(float), line[column].to_numpy(float), label=name,
        color=light(style.role), linewidth=style.width, linestyle=style.dash, alpha=style.alpha,
        marker=style.marker, markersize=style.size, zorder=style.order,
    )  # fmt: skip


def _hollow(ax: Axes, line: pd.DataFrame, column: str, style: LineStyle) -> None:
    ax.plot(
        line["offered_per_s"].to_numpy(float), line[column].to_numpy(float), linestyle="none",
        color=light(style.role), alpha=style.alpha, marker=style.marker, markersize=style.size,
        markerfacecolor=light("surface"), zorder=5,
    )  # fmt: skip


def _band(ax: Axes, line: pd.DataFrame, column: str, filled: np.ndarray) -> None:
    """The 95 % intervals: a band along the line, and at each of its points."""
    x = line["offered_per_s"].to_numpy(float)
    low, high = (line[f"{column}_{end}"].to_numpy(float) for end in ("low", "high"))
    blue = light(BEST.role)
    ax.fill_between(x[filled], low[filled], high[filled], color=blue, alpha=0.16, linewidth=0)
    ax.vlines(x, low, high, color=blue, linewidth=1.2)


def _goodput_panel(ax: Axes, top: float) -> None:
    canvas.title(ax, "Goodput, requests/s")
    dots = (0, (2, 3))
    ax.plot([0, top], [0, top], color=light("grey"), linewidth=0.9, linestyle=dots, label="all served in SLO")
    ax.set_ylim(0, top)


def _latency_panel(ax: Axes, title: str, limit: float | None) -> None:
    canvas.title(ax, title)
    if limit:
        ax.axhline(limit, color=light("red"), linewidth=1.1, linestyle="--")
        text = f"SLO {limit:.3g} s"
        ax.annotate(text, (0, limit), (3, 3), textcoords="offset points", size=8, color=light("red"))
    # The lines' own extent decides: a logarithmic axis helps only where times differ by an order.
    low, high = ax.dataLim.y0, ax.dataLim.y1
    if not (np.isfinite(high) and low > 0 and high / low >= 8):
        ax.set_ylim(0, high * 1.1 if np.isfinite(high) and high > 0 else 1)
        return
    ax.set_yscale("log")
    low, high = low / 1.2, high * 1.2
    ax.set_yticks([m * 10.0**e for e in range(-4, 4) for m in (1, 2, 5) if low <= m * 10.0**e <= high])
    ax.set_yticks([], minor=True)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_ylim(low, high)


def _marks(
    points: pd.DataFrame, slo: Objective, best: str | None, capacity_per_s: float, knee_per_s: float
) -> list[tuple[float, str, str]]:
    """(offered rate, words, colour role) of the upright lines."""
    marks = [(capacity_per_s, "probe capacity", "grey")]
    if np.isfinite(knee_per_s):
        marks.append((knee_per_s, "knee: capacity under the SLO", "green"))
    elif best is not None and slo.attainment is not None:
        own = points[points["setting"] == best].groupby("rate_per_s")
        met = own["attainment"].min() >= slo.attainment
        if met.any():
            highest = float(own["offered_per_s"].mean()[met].max())
            marks.append((highest, "recommended meets the SLO up to here", "green"))
    return [mark for mark in marks if np.isfinite(mark[0])]


def _legend(figure: Figure, ax: Axes) -> None:
    handles, names = ax.get_legend_handles_labels()
    figure.legend(
        handles,
        [canvas.literal(name) for name in names],
        loc="lower left",
        bbox_to_anchor=(0.04, 0.0),
        ncols=4,
        frameon=False,
        fontsize=8.4,
        labelcolor=light("ink"),
    )
