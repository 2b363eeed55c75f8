"""Where the time went: requests around a quantile of the E2E latency, taken apart; one bar for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reports import drawing, labels
from reports.drawing import Axis, Bars, Figure, Margins, Panel

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
        return drawing.message("Not taken apart: too few requests were served, or the run does not do it.")
    top = 0.42 if width_in > 7 else 0.62
    left = 0.3 + 0.078 * max(map(len, names))
    height = 0.53 + top + 0.235 * len(frame)
    figure = drawing.panels(width_in, height, margins=Margins(left=left, bottom=0.45, top=top))
    (panel,) = figure.panels
    _bars(panel, frame)
    panel.y = Axis(len(frame) - 0.4, -0.6, ticks=range(len(frame)), names=list(names), grid=False, role="ink")
    panel.x.low, panel.x.label = 0, "seconds from the due time"
    drawing.legend_above(figure, drawing.named(figure.panels))
    return figure


def _bars(panel: Panel, frame: pd.DataFrame) -> None:
    y, left = np.arange(len(frame)), np.zeros(len(frame))
    parts = {column: frame[column].to_numpy(float) for column in COLOURS if column in frame}
    divided = np.isfinite(parts["engine_queue_s"])
    before_s = parts["prefill_s"]
    parts |= {"undivided_s": np.where(divided, 0.0, before_s), "prefill_s": np.where(divided, before_s, 0.0)}
    absent = set() if divided.any() else {"engine_queue_s", "prefill_s"}
    absent |= {"undivided_s"} if divided.all() else set()
    for column in (column for column in COLOURS if column not in absent):
        width = np.nan_to_num(parts[column]).clip(min=0)
        panel.add(Bars(y, left, width, COLOURS[column], label=NAMES[column]))
        left = left + width
