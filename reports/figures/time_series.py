"""What happened in one cell over time: load, gateway, engine, KV cache and GPU above one another on one
clock.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from reports import drawing
from reports.drawing import (
    DASH_DOTTED,
    DASHED,
    DOTTED,
    SOLID,
    Dash,
    Figure,
    Line,
    Margins,
    Panel,
    Span,
    Words,
)

MOST_POINTS = 240
WIDTH_IN = 6.8

SHARE, CLOCK, OTHERS = "Share in use", "GPU clock", "CPU cores, share of their time"
FORMATS: dict[str, Callable[[float], str]] = {
    SHARE: lambda value: f"{value * 100:.3g} %",
    OTHERS: lambda value: f"{value * 100:.3g} %",
    CLOCK: lambda value: f"{value / 1e9:.3g} GHz",
}

LineStyle = tuple[str, str, Dash]
# panel title → metric → (name, colour, dash)
PANELS: tuple[tuple[str, dict[str, LineStyle]], ...] = (
    (
        "Requests per second",
        {
            "offered_per_s": ("offered", "ink", SOLID),
            "admitted_per_s": ("admitted", "blue", DASHED),
            "rejected_per_s": ("rejected", "orange", DASH_DOTTED),
            "queue_timeout_per_s": ("queue timeout", "red", DOTTED),
        },
    ),
    (
        "Gateway, requests",
        {
            "gateway_active": ("slots busy", "blue", SOLID),
            "gateway_active_limit": ("MAX_ACTIVE", "grey", DASHED),
            "gateway_queue_depth": ("queued", "orange", SOLID),
        },
    ),
    (
        "Engine, requests",
        {"engine_running": ("running", "green", SOLID), "engine_waiting": ("waiting", "purple", DASHED)},
    ),
    (
        "Engine, times slower than the run",
        {
            "engine_speed_index": ("speed index", "red", SOLID),
            "engine_speed_index_low": ("95 % interval", "grey", DOTTED),
            "engine_speed_index_high": ("", "grey", DOTTED),
        },
    ),
    (
        SHARE,
        {
            "engine_kv_use_ratio": ("KV cache", "amber", SOLID),
            "gpu_use_ratio": ("GPU", "green", DASHED),
        },
    ),
    (
        OTHERS,
        {
            "others_cpu_engine_cores_ratio": ("others, engine", "red", SOLID),
            "others_cpu_harness_cores_ratio": ("others, harness", "orange", DASHED),
            "cpu_steal_ratio": ("stolen", "purple", DOTTED),
            "cgroup_throttled_ratio": ("quota used up", "grey", DASH_DOTTED),
        },
    ),
    (CLOCK, {"gpu_clock_hz": ("SM clock", "blue", SOLID)}),
    ("GPU temperature, °C", {"gpu_temperature_c": ("hottest", "red", SOLID)}),
    (
        "GPU slowed down (1: yes)",
        {
            "gpu_power_cap": ("power cap", "grey", SOLID),
            "gpu_thermal_slowdown": ("heat", "red", DASHED),
            "gpu_power_brake": ("power brake", "orange", DOTTED),
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
        return drawing.message("No Prometheus series were stored for this cell.")
    last = float(series["t_s"].max())
    stop = last if end_s is None or not np.isfinite(end_s) else end_s
    drawn = series[(series["metric"] != LIMIT) | series["t_s"].between(start_s, stop)]
    by_metric = dict(tuple(drawn.groupby("metric", sort=False)))
    margins = Margins(left=0.62, right=1.35, bottom=0.42, top=0.3, below=0.42)
    figure = drawing.panels(WIDTH_IN, 0.75 + 1.05 * len(panels), rows=len(panels), margins=margins)
    for panel, (text, lines) in zip(figure.panels, panels, strict=True):
        _lines(panel, text, {m: (by_metric[m], style) for m, style in lines.items() if m in by_metric})
        for left, right in ((0.0, start_s), (stop, last)):
            if right > left:
                panel.add(Span(left, right, "shade"))
        panel.x.span(0, max(last, stop))
        panel.x.written = panel is figure.panels[-1]
        drawing.legend_right(figure, panel)
    first, lowest = figure.panels[0], figure.panels[-1]
    if start_s > 0:
        first.words.append(Words(" warm-up", first.left + 2, first.top + 5, "muted", 7.6))
    lowest.x.label = "seconds from the start of the cell (shaded: not measured)"
    return figure


def _lines(panel: Panel, text: str, lines: dict[str, tuple[pd.DataFrame, LineStyle]]) -> None:
    panel.title = text
    panel.y.show, panel.y.most = FORMATS.get(text, drawing.plain), 3
    highest = max((float(f["value"].max()) for m, (f, _) in lines.items() if m != LIMIT), default=0.0)
    top, drawn = None, 0.0
    for metric, (frame, (name, role, dash)) in lines.items():
        t, value = thin(frame["t_s"].to_numpy(float), frame["value"].to_numpy(float))
        if metric == LIMIT and len(value) and value.min() > FAR * highest > 0:
            name, top = f"{name} {value.min():g} ↑", highest * 1.1
        drawn = max([drawn, *value.tolist()])
        panel.add(Line(t, value, role, dash=dash, label=name))
    panel.y.span(0, top or (1.05 * drawn if drawn >= 0.01 else 1.0))


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
