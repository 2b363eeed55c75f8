"""Where the time went: the p50 and p95 request of each cell, cut into stages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures import canvas
from reports.palette import light
from reports.stages import STAGES

COLOURS = {
    "send_lag_s": "red",
    "queue_s": "orange",
    "first_token_s": "purple",
    "decode_s": "blue",
    "end_s": "grey",
}


def stages(frame: pd.DataFrame, *, names: str = "name", width_in: float = 8.6) -> Figure:
    """One bar per row of `reports.stages.at_quantiles`, labelled by the column `names`, first row on top."""
    if not len(frame):
        return canvas.message("No request was served, so there is no time to take apart.")
    columns = 6 if width_in > 7 else 3
    top = 0.42 if columns == 6 else 0.62
    height = 0.53 + top + 0.235 * len(frame)
    left = 0.3 + 0.078 * max(len(str(name)) for name in frame[names])
    figure, (ax,) = canvas.axes(width_in, height, left=left, bottom=0.45, top=top)
    draw(ax, frame, [canvas.literal(str(name)) for name in frame[names]])
    canvas.legend_above(figure, ax, columns)
    return figure


def draw(ax: Axes, frame: pd.DataFrame, names: list[str]) -> None:
    """Draw the bars into existing axes; seconds to the right."""
    y = np.arange(len(frame))
    left = np.zeros(len(frame))
    for column, (text, _) in STAGES.items():
        width = frame[column].clip(lower=0).to_numpy(float)
        look: dict[str, Any] = {
            "color": light(COLOURS[column]),
            "edgecolor": light("surface"),
            "linewidth": 0.6,
        }
        ax.barh(y, width, left=left, height=0.68, label=text, **look)
        left += width
    ax.set_yticks(y, names)
    ax.tick_params(axis="y", colors=light("ink"))
    ax.set_ylim(len(frame) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.set_xlim(left=0)
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel("seconds from the due time")
