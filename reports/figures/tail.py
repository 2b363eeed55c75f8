"""The tail: which share of the offered requests took longer than x, or was never served at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.run_folder.run_state import Objective
from loadtests.look.palette import light
from reports import numbers
from reports.figures import canvas

MOST_POINTS = 160
LINES = (("ttft_s", "TTFT", "blue", "-"), ("e2e_s", "E2E", "orange", "--"))


def tail(records: pd.DataFrame, slo: Objective | None = None) -> Figure:
    """The complementary distribution of TTFT and E2E over offered requests, both axes logarithmic.

    `records` are those of the measured phase. A request that never got its answer took longer than any x,
    so the curve ends in a plateau at the share that was not served.
    """
    figure, (ax,) = canvas.axes(4.3, 2.9, margins=canvas.Margins(left=0.62))
    draw(ax, records, slo)
    return figure


def draw(ax: Axes, records: pd.DataFrame, slo: Objective | None = None) -> None:
    """Draw the tail into existing axes; see `tail`."""
    canvas.title(ax, "Share of offered requests slower than …")
    offered = len(records)
    if not offered:
        return
    served = records["outcome"] == "ok"
    for column, name, role, dash in LINES:
        x, share = points(records.loc[served, column].to_numpy(float), offered)
        if len(x):
            ax.plot(
                x, share, color=light(role), linestyle=dash, linewidth=1.6, label=name, drawstyle="steps-post"
            )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(min(0.5 / offered, 0.5), 1.3)
    canvas.ticks(ax.xaxis, ax.get_xlim(), numbers.seconds, logarithmic=True)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value * 100:g} %")
    ax.minorticks_off()
    if slo is not None:
        _limit(ax, slo.ttft_s, "SLO TTFT")
        _limit(ax, slo.e2e_s, "SLO E2E")
    canvas.legend_lower_left(ax)


def _limit(ax: Axes, limit_s: float | None, text: str) -> None:
    if not limit_s or limit_s <= 0:
        return
    ax.axvline(limit_s, color=light("red"), linewidth=1, linestyle=(0, (4, 2)))
    look = {"fontsize": 7.6, "color": light("red"), "va": "top", "ha": "right", "rotation": 90}
    ax.text(limit_s, 0.97, text, look, transform=ax.get_xaxis_transform())


def points(values: np.ndarray, offered: int, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """(x, share of `offered` above x) of the finite values, thinned evenly in log share so that the tail
    keeps its points.
    """
    x = np.sort(values[np.isfinite(values)])
    n = len(x)
    if not n:
        return x, x
    above = np.arange(n - 1, -1, -1)
    wanted = np.unique(np.concatenate([[n], np.geomspace(1, n, most)]).astype(int))
    at = np.unique(np.concatenate([n - wanted, [n - 1]]))
    return x[at], (above[at] + (offered - n)) / offered
