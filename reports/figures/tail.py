"""The tail: which share of the offered requests took longer than x, or was never served at all."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.run_folder.run_state import Objective
from reports import drawing, numbers
from reports.drawing import DASHED, SOLID, Anchor, Figure, Line, Margins, Span, Words

MOST_POINTS = 160
LINES = (("ttft_s", "TTFT", "blue", SOLID), ("e2e_s", "E2E", "orange", DASHED))


def tail(records: pd.DataFrame, slo: Objective | None = None) -> Figure:
    """The complementary distribution of TTFT and E2E over offered requests, both axes logarithmic.

    `records` are those of the measured phase. A request that never got its answer took longer than any x,
    so the curve ends in a plateau at the share that was not served.
    """
    figure = drawing.panels(4.3, 2.9, margins=Margins(left=0.62))
    (panel,) = figure.panels
    panel.title = "Share of offered requests slower than …"
    offered = len(records)
    if not offered:
        return figure
    served = records["outcome"] == "ok"
    for column, name, role, dash in LINES:
        x, share = points(records.loc[served, column].to_numpy(float), offered)
        if len(x):
            panel.add(Line(x, share, role, width=1.6, dash=dash, steps=True, label=name))
    panel.x.logarithmic = panel.y.logarithmic = True
    panel.x.show, panel.y.show = numbers.seconds, drawing.percent
    panel.y.span(min(0.5 / offered, 0.5), 1.3)
    drawing.legend_inside(figure, panel)
    limits = {"SLO TTFT": slo.ttft_s, "SLO E2E": slo.e2e_s} if slo is not None else {}
    given = {text: limit_s for text, limit_s in limits.items() if limit_s and limit_s > 0}
    panel.add(*(Span(limit_s, limit_s, "red", width=1, dash=(4, 2)) for limit_s in given.values()))
    for text, limit_s in given.items():
        left = float(panel.place.x(limit_s)) - 4
        panel.words.append(Words(text, left, panel.top + 3, "red", 7.6, Anchor.END, upright=True))
    return figure


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
