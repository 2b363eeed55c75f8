"""Two runs compared: the relative change of the goodput of every pair, with its interval."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from experiments.decide.comparison import RunComparison
from experiments.stats.paired import Comparison, Verdict
from loadtests.look.palette import light
from reports import labels
from reports.figures import canvas

_ROW_IN = 0.27
# verdict → colour, name in the legend
LOOKS = {
    Verdict.DIFFERENT: ("orange", "different"),
    Verdict.EQUAL: ("blue", "equal"),
    Verdict.CANT_TELL: ("grey", "can't tell"),
}


def changes(found: RunComparison) -> Figure:
    """A row per setting and load, the whole at the foot; shaded: the change that does not matter. What had no
    goodput on either side has no change and is left out.
    """
    rows = [(f"{labels.setting(row.pair.setting)} · {row.pair.load}", row.goodput) for row in found.rows]
    rows = [row for row in [*rows, ("all that were judged", found.overall)] if row[1].relative is not None]
    if not rows:
        return canvas.message("No pair had any goodput: there is no change to draw.")
    left_in = 0.3 + 0.078 * max(len(name) for name, _ in rows)
    figure, (ax,) = canvas.axes(
        max(7.5, left_in + 4.5), 1.1 + _ROW_IN * len(rows),
        margins=canvas.Margins(left=left_in, right=0.3, bottom=0.45, top=0.6),
    )  # fmt: skip
    ax.axvspan(-found.delta, found.delta, color=light("shade"), linewidth=0, zorder=0)
    ax.axvline(0.0, color=light("muted"), linewidth=0.8)
    for verdict, (role, name) in LOOKS.items():
        of = [(y, *_places(one)) for y, (_, one) in enumerate(rows) if one.verdict is verdict]
        at, middle, low, high = ([place[i] for place in of] for i in range(4))
        ax.plot(middle, at, linestyle="none", marker="o", markersize=4.5, color=light(role), label=name)
        ax.hlines(at, low, high, color=light(role), linewidth=1.4)
    ax.set_yticks(range(len(rows)), [canvas.literal(name) for name, _ in rows])
    ax.tick_params(axis="y", colors=light("ink"))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value * 100:+.0f} %")
    ax.set_xlabel(f"change of the goodput from {found.a.name} to {found.b.name}")
    canvas.legend_above(figure, ax)
    return figure


def _places(one: Comparison) -> tuple[float, float, float]:
    """The change and the ends of its interval; nan for what is not known."""
    known = (one.relative, one.relative_low, one.relative_high)
    middle, low, high = (np.nan if value is None else value for value in known)
    return middle, low, high
