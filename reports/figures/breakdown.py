"""Where the time went: requests around a quantile of the E2E latency, taken apart; one bar for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.look.palette import light
from reports import labels
from reports.figures import canvas

# part → colour; without the engine's word its queue and the prefill are one, drawn apart from both
COLOURS = {
    "send_lag_s": "red",
    "gateway_queue_s": "orange",
    "network_s": "grey",
    "engine_queue_s": "green",
    "prefill_s": "purple",
    "undivided_s": "sky",
    "decode_s": "blue",
}
NAMES = labels.PARTS | {"undivided_s": "before the first token"}


def breakdown(frame: pd.DataFrame, names: Sequence[str], *, width_in: float = 8.6) -> Figure:
    """One bar per row of `Run.breakdown`, called by `names`, first row on top; seconds to the right.

    Where the engine does not tell its queue, all before the first token is one part of its own colour.
    """
    if not len(frame):
        return canvas.message("Not taken apart: too few requests were served, or the run does not do it.")
    columns = 7 if width_in > 7 else 3
    top = 0.42 if columns == 7 else 0.62
    height = 0.53 + top + 0.235 * len(frame)
    left = 0.3 + 0.078 * max(map(len, names))
    figure, (ax,) = canvas.axes(width_in, height, margins=canvas.Margins(left=left, bottom=0.45, top=top))
    _draw(ax, frame, [canvas.literal(name) for name in names])
    canvas.legend_above(figure, ax, columns)
    return figure


def _draw(ax: Axes, frame: pd.DataFrame, names: list[str]) -> None:
    y, left = np.arange(len(frame)), np.zeros(len(frame))
    divided = frame["engine_queue_s"].notna()
    parts = frame.assign(
        undivided_s=frame["prefill_s"].where(~divided, 0.0), prefill_s=frame["prefill_s"].where(divided, 0.0)
    )
    absent = set() if divided.any() else {"engine_queue_s", "prefill_s"}
    absent |= {"undivided_s"} if divided.all() else set()
    for column in (column for column in COLOURS if column not in absent):
        width = parts[column].fillna(0.0).clip(lower=0).to_numpy(float)
        fill, edge = light(COLOURS[column]), light("surface")
        ax.barh(y, width, 0.68, left, label=NAMES[column], color=fill, edgecolor=edge, linewidth=0.6)
        left += width
    ax.set_yticks(y, names)
    ax.tick_params(axis="y", colors=light("ink"))
    ax.set_ylim(len(frame) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.set_xlim(left=0)
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel("seconds from the due time")
