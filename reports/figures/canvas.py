"""An empty figure in the house style: no frame, faint grid, sizes in inches, no global state."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from loadtests.look.palette import light

SIZE = 9.5
PAGE_IN = 14.0
"""The width of a figure that takes the whole page: texts are then as large as those beside it."""
WIDEST_LEFT = 0.7
"""Of a figure's width: what is written left of the axes may be longer than that, and is then cut."""


@dataclass(frozen=True, slots=True)
class Margins:
    """Around the axes, inches; `wspace` and `hspace` between them, as in matplotlib."""

    left: float = 0.6
    right: float = 0.15
    bottom: float = 0.5
    top: float = 0.35
    wspace: float = 0.3
    hspace: float = 0.35


def axes(
    width_in: float,
    height_in: float,
    *,
    rows: int = 1,
    columns: int = 1,
    share_x: bool = False,
    margins: Margins = Margins(),
) -> tuple[Figure, list[Axes]]:
    """A figure and its axes, row by row."""
    figure = Figure(figsize=(width_in, height_in))
    figure.patch.set_alpha(0)
    grid = figure.subplots(
        rows,
        columns,
        sharex=share_x,
        squeeze=False,
        gridspec_kw={
            "left": min(margins.left / width_in, WIDEST_LEFT),
            "right": 1 - margins.right / width_in,
            "bottom": margins.bottom / height_in,
            "top": 1 - margins.top / height_in,
            "wspace": margins.wspace,
            "hspace": margins.hspace,
        },
    )
    panels: list[Axes] = list(np.asarray(grid).ravel())
    for ax in panels:
        plain(ax)
    return figure, panels


def plain(ax: Axes) -> None:
    """Take the frame away and leave a faint grid."""
    ax.set_facecolor("none")
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(light("grid"))
    ax.grid(True, color=light("grid"), linewidth=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(colors=light("muted"), labelsize=SIZE - 1, length=0)
    ax.xaxis.label.set(color=light("muted"), size=SIZE - 0.5)
    ax.yaxis.label.set(color=light("muted"), size=SIZE - 0.5)


def title(ax: Axes, text: str, role: str = "ink") -> None:
    """The panel's title, above its left edge, in a colour of the palette."""
    # A fixed y spares matplotlib the layout of every tick label just to see whether the title must move.
    look = {"fontsize": SIZE, "color": light(role), "fontweight": "bold"}
    ax.set_title(literal(text), look, loc="left", y=1.0, pad=6)


def ticks(
    axis: Axis, ends: Sequence[float], show: Callable[[float], str], *, logarithmic: bool = False
) -> None:
    """Few round ticks between `ends`, each written by `show`; 1, 2, 5 … where the axis is logarithmic and
    long enough to hold three of those.
    """
    low, high = float(ends[0]), float(ends[-1])
    at: list[float] = []
    if logarithmic:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for steps in ((1, 2, 5), (1, 3), (1,)):
            at = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
            if len(at) <= 5:
                break
    axis.set_major_locator(FixedLocator(at) if len(at) >= 3 else MaxNLocator(4))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: show(value)))


def legend_lower_left(ax: Axes) -> None:
    """A legend without a frame in the lower left corner, when there is anything to name."""
    handles, _ = ax.get_legend_handles_labels()
    if handles:
        ink = light("ink")
        ax.legend(loc="lower left", frameon=False, fontsize=SIZE - 1.2, labelcolor=ink, handlelength=2.2)


def legend_right(ax: Axes) -> None:
    """The named lines of `ax` beside it, middle on middle.

    Drawn as plain lines and texts: matplotlib's own legend lays itself out, a tenth of the time of a report.
    """
    lines = [line for line in ax.get_lines() if not str(line.get_label()).startswith("_")]
    height_pt = ax.get_position().height * ax.figure.get_figheight() * 72  # type: ignore[union-attr]  # never a sub-figure
    width_pt = ax.get_position().width * ax.figure.get_figwidth() * 72  # type: ignore[union-attr]  # never a sub-figure
    row, x = 14 / height_pt, [1 + 6 / width_pt, 1 + 24 / width_pt]
    for at, line in enumerate(lines):
        y = 0.5 + row * ((len(lines) - 1) / 2 - at)
        mark = Line2D(x, [y, y], transform=ax.transAxes, clip_on=False)
        mark.set(color=line.get_color(), linestyle=line.get_linestyle(), linewidth=line.get_linewidth())
        ax.add_artist(mark)
        text = ax.text(x[1] + 5 / width_pt, y, literal(str(line.get_label())), transform=ax.transAxes)
        text.set(va="center", fontsize=SIZE - 1.2, color=light("ink"))


def legend_above(figure: Figure, ax: Axes, columns: int = 6) -> None:
    """The legend of `ax` along the top of the figure, in rows of `columns`."""
    handles, names = ax.get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        frameon=False,
        fontsize=SIZE - 1.1,
        labelcolor=light("ink"),
        handlelength=1.2,
    )


def marker(shape: str) -> Line2D:
    """A marker alone, for a legend."""
    return Line2D([], [], linestyle="none", marker=shape, color=light("muted"), markersize=4.5)


def message(text: str, width_in: float = 6.0) -> Figure:
    """A small figure that says why there is nothing to draw."""
    figure = Figure(figsize=(width_in, 0.7))
    figure.patch.set_alpha(0)
    figure.text(0.01, 0.5, literal(text), color=light("muted"), fontsize=SIZE, va="center")
    return figure


def literal(text: str) -> str:
    """`text` drawn as it is: a dollar sign in a model's name must not start a formula."""
    return text.replace("$", r"\$")
