"""Predicted against measured: each cell's measure with both intervals, and the ±10 % band."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.look.palette import light
from reports import labels, numbers
from reports.figures import canvas

# what it is → (role, marker, filled)
KINDS = {
    "in its prediction interval": ("blue", "o", True),
    "outside of it": ("red", "X", True),
    "not scored: measured too vaguely": ("grey", "o", False),
}
SHOW: dict[str, Callable[[float | None], str]] = {
    "rate": numbers.asked,
    "percent": numbers.percent,
    "s": numbers.seconds,
}


def predicted(frame: pd.DataFrame) -> Figure:
    """A panel per measure of `Run.predicted`: measured to the right with its 95 % interval, predicted up
    with its prediction interval; on the diagonal they are equal. Latencies are on logarithmic axes.
    """
    usable = frame[(frame["predicted"] > 0) & (frame["measured"] > 0)]
    if not len(usable):
        return canvas.message("No prediction has a measurement beside it.")
    metrics = [name for name in labels.PREDICTED if (usable["metric"] == name).any()]
    metrics += sorted(set(usable["metric"]) - set(metrics))
    columns = min(3, len(metrics))
    rows = -(-len(metrics) // columns)
    figure, panels = canvas.axes(
        3.5 * columns + 0.3, 3.25 * rows + 0.4, rows=rows, columns=columns,
        margins=canvas.Margins(left=0.75, top=0.7, wspace=0.32, hspace=0.38),
    )  # fmt: skip
    for ax in panels[len(metrics) :]:
        ax.set_visible(False)
    for ax, metric in zip(panels, metrics, strict=False):
        _panel(ax, usable[usable["metric"] == metric], metric)
    canvas.legend_above(figure, panels[0])
    return figure


def _panel(ax: Axes, part: pd.DataFrame, metric: str) -> None:
    kind = labels.PREDICTED.get(metric, ("", "s"))[1]
    ends = _ends(part, logarithmic=kind == "s")
    ax.fill_between(ends, ends * 0.9, ends * 1.1, color=light("shade"), linewidth=0, label="±10 %")
    ax.plot(ends, ends, color=light("grey"), linewidth=0.9)
    scored, inside = part["scored"].to_numpy(bool), part["inside"].to_numpy(bool)
    for (name, look), chosen in zip(KINDS.items(), (scored & inside, scored & ~inside, ~scored), strict=True):
        _points(ax, part[chosen], name, look)
    if kind == "s":
        ax.set(xscale="log", yscale="log")
    ax.set(xlim=ends, ylim=ends, xlabel="measured", ylabel="predicted")
    canvas.title(ax, labels.predicted_name(metric))
    for axis in (ax.xaxis, ax.yaxis):
        canvas.ticks(axis, ends.tolist(), SHOW[kind], logarithmic=kind == "s")


def _points(ax: Axes, part: pd.DataFrame, name: str, look: tuple[str, str, bool]) -> None:
    role, marker, filled = look
    x, y = part["measured"].to_numpy(float), part["predicted"].to_numpy(float)
    # An interval that is not known has no length.
    left, right = (part[f"measured_{end}"].fillna(part["measured"]) for end in ("low", "high"))
    below, above = (part[f"predicted_{end}"].fillna(part["predicted"]) for end in ("low", "high"))
    ax.hlines(y, left, right, color=light(role), linewidth=0.9, alpha=0.6)
    ax.vlines(x, below, above, color=light(role), linewidth=0.9, alpha=0.6)
    inner = light(role) if filled else light("surface")
    # Drawn empty too: the legend is of the first panel and names every kind.
    ax.plot(x, y, marker, color=light(role), markerfacecolor=inner, markersize=5, label=name)


def _ends(part: pd.DataFrame, *, logarithmic: bool) -> np.ndarray:
    """Both ends of both axes: everything drawn, with a margin."""
    drawn = part[
        ["predicted", "predicted_low", "predicted_high", "measured", "measured_low", "measured_high"]
    ]
    values = drawn.to_numpy(float)
    low, high = float(np.nanmin(values[values > 0])), float(np.nanmax(values))
    return np.array([low / 1.15, high * 1.15] if logarithmic else [0.0, high * 1.08])
