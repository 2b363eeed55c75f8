"""What happened in one cell over time: load, gateway, engine, KV cache and GPU above one another on one
clock.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.look.palette import light
from reports.figures import canvas

MOST_POINTS = 240
WIDTH_IN = 6.8

SHARE, CLOCK, OTHERS = "Share in use", "GPU clock", "CPU cores, share of their time"
FORMATS: dict[str, Callable[[float], str]] = {
    SHARE: lambda value: f"{value * 100:.3g} %",
    OTHERS: lambda value: f"{value * 100:.3g} %",
    CLOCK: lambda value: f"{value / 1e9:.3g} GHz",
}

# panel title → metric → (name, colour, dash, drawn as steps)
PANELS: tuple[tuple[str, dict[str, tuple[str, str, str]]], ...] = (
    (
        "Requests per second",
        {
            "offered_per_s": ("offered", "ink", "-"),
            "admitted_per_s": ("admitted", "blue", "--"),
            "rejected_per_s": ("rejected", "orange", "-."),
            "queue_timeout_per_s": ("queue timeout", "red", ":"),
        },
    ),
    (
        "Gateway, requests",
        {
            "gateway_active": ("slots busy", "blue", "-"),
            "gateway_active_limit": ("MAX_ACTIVE", "grey", "--"),
            "gateway_queue_depth": ("queued", "orange", "-"),
        },
    ),
    (
        "Engine, requests",
        {"engine_running": ("running", "green", "-"), "engine_waiting": ("waiting", "purple", "--")},
    ),
    (
        "Engine, times slower than the run",
        {
            "engine_speed_index": ("speed index", "red", "-"),
            "engine_speed_index_low": ("95 % interval", "grey", ":"),
            "engine_speed_index_high": ("_upper end", "grey", ":"),
        },
    ),
    (
        SHARE,
        {
            "engine_kv_use_ratio": ("KV cache", "amber", "-"),
            "gpu_use_ratio": ("GPU", "green", "--"),
        },
    ),
    (
        OTHERS,
        {
            "others_cpu_engine_cores_ratio": ("others, engine", "red", "-"),
            "others_cpu_harness_cores_ratio": ("others, harness", "orange", "--"),
            "cpu_steal_ratio": ("stolen", "purple", ":"),
            "cgroup_throttled_ratio": ("quota used up", "grey", "-."),
        },
    ),
    (CLOCK, {"gpu_clock_hz": ("SM clock", "blue", "-")}),
    ("GPU temperature, °C", {"gpu_temperature_c": ("hottest", "red", "-")}),
    (
        "GPU slowed down (1: yes)",
        {
            "gpu_power_cap": ("power cap", "grey", "-"),
            "gpu_thermal_slowdown": ("heat", "red", "--"),
            "gpu_power_brake": ("power brake", "orange", ":"),
        },
    ),
)


LIMIT = "gateway_active_limit"
FAR = 4.0


def time_series(series: pd.DataFrame, *, start_s: float = 0.0, end_s: float | None = None) -> Figure:
    """Draw a cell's series (long form: t_s, metric, value); what lies outside [start_s, end_s] is shaded as
    not measured.

    A limit is drawn as it was in that time: before it, what was set for another cell, or by the probe, may
    still be in force. Where it is far above all that was measured, it is named and does not stretch the axis.

    Long series are thinned to at most 240 points by taking the mean of equal stretches. Panels without data
    are left out.
    """
    present = set(series["metric"].unique()) if len(series) else set()
    panels = [(text, {m: s for m, s in lines.items() if m in present}) for text, lines in PANELS]
    panels = [(text, lines) for text, lines in panels if lines]
    if not panels:
        return canvas.message("No Prometheus series were stored for this cell.")
    height = 0.75 + 1.05 * len(panels)
    figure, axes = canvas.axes(
        WIDTH_IN,
        height,
        rows=len(panels),
        share_x=True,
        margins=canvas.Margins(left=0.62, right=1.35, bottom=0.42, top=0.3, hspace=0.42),
    )
    last = float(series["t_s"].max())
    stop = last if end_s is None or not np.isfinite(end_s) else end_s
    drawn = series[(series["metric"] != LIMIT) | series["t_s"].between(start_s, stop)]
    by_metric = dict(tuple(drawn.groupby("metric", sort=False)))
    for ax, (text, lines) in zip(axes, panels, strict=True):
        _panel(ax, text, {m: (by_metric[m], style) for m, style in lines.items() if m in by_metric})
        for left, right in ((0.0, start_s), (stop, last)):
            if right > left:
                ax.axvspan(left, right, color=light("shade"), linewidth=0, zorder=0)
        ax.set_xlim(0, max(last, stop))
        ax.xaxis.set_visible(ax is axes[-1])
    if start_s > 0:
        axes[0].text(
            0,
            1.0,
            " warm-up",
            fontsize=7.6,
            color=light("muted"),
            va="top",
            transform=axes[0].get_xaxis_transform(),
        )
    axes[-1].set_xlabel("seconds from the start of the cell (shaded: not measured)")
    return figure


def _panel(ax: Axes, text: str, lines: dict[str, tuple[pd.DataFrame, tuple[str, str, str]]]) -> None:
    canvas.title(ax, text)
    highest = max((float(f["value"].max()) for m, (f, _) in lines.items() if m != LIMIT), default=0.0)
    top = None
    for metric, (frame, (name, role, dash)) in lines.items():
        t, value = thin(frame["t_s"].to_numpy(float), frame["value"].to_numpy(float))
        if metric == LIMIT and len(value) and value.min() > FAR * highest > 0:
            name, top = f"{name} {value.min():g} ↑", highest * 1.1
        ax.plot(t, value, color=light(role), linestyle=dash, linewidth=1.3, label=name)
    ax.set_ylim(0, top)
    if ax.get_ylim()[1] < 0.01:
        ax.set_ylim(0, 1)
    ax.locator_params(axis="y", nbins=3)
    if text in FORMATS:
        show = FORMATS[text]
        ax.yaxis.set_major_formatter(lambda value, _: show(value))
    canvas.legend_right(ax)


def thin(t: np.ndarray, value: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` points: the mean time and value of consecutive stretches of equal length, nan left
    out.
    """
    order = np.argsort(t, kind="stable")
    t, value = t[order], value[order]
    keep = np.isfinite(value)
    t, value = t[keep], value[keep]
    if len(t) <= most:
        return t, value
    starts = np.linspace(0, len(t), most, endpoint=False).astype(int)
    sizes = np.diff(np.append(starts, len(t)))
    return np.add.reduceat(t, starts) / sizes, np.add.reduceat(value, starts) / sizes
