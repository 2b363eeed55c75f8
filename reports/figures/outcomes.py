"""What became of the offered requests, as shares, one bar per cell."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loadtests.outcome import Outcome
from reports import drawing
from reports.drawing import Axis, Bars, Figure, Margins

# group → (colour, outcomes in it)
GROUPS: dict[str, tuple[str, set[str]]] = {
    "served in SLO": ("blue", {"served_in_slo", Outcome.OK}),
    "served late": ("sky", {"served_late"}),
    "rejected (429)": ("orange", {outcome for outcome in Outcome if outcome.rejected}),
    "queue timeout (503)": ("red", {Outcome.QUEUE_TIMEOUT}),
    "failed": (
        "purple",
        {
            Outcome.UPSTREAM_ERROR,
            Outcome.UPSTREAM_TIMEOUT,
            Outcome.UPSTREAM_OVERLOADED,
            Outcome.TRUNCATED,
            Outcome.REFUSED,
            Outcome.DRAINING,
        },
    ),
    "client, cut, not sent": (
        "grey",
        {
            Outcome.CONNECT_ERROR,
            Outcome.CLIENT_TIMEOUT,
            Outcome.CANCELLED,
            Outcome.CUT,
            Outcome.NOT_SENT,
            "missing",
        },
    ),
}


def outcomes(frame: pd.DataFrame, names: dict[str, str]) -> Figure:
    """Stacked shares of `Run.outcomes`; `names` maps the cells to draw, in order, to what is written beside
    them.
    """
    if not len(frame) or not names:
        return drawing.message("No outcome has been counted.")
    height, left_in = 0.95 + 0.235 * len(names), 0.3 + 0.078 * max(map(len, names.values()))
    figure = drawing.panels(8.6, height, margins=Margins(left=left_in, right=0.3, bottom=0.45, top=0.42))
    (panel,) = figure.panels
    table = frame.pivot_table(index="cell", columns="outcome", values="share", aggfunc="sum").reindex(
        list(names)
    )
    y, left = np.arange(len(names)), np.zeros(len(names))
    unknown = set(table.columns) - set().union(*(members for _, members in GROUPS.values()))
    for group, (role, members) in GROUPS.items():
        chosen = [c for c in table.columns if c in members or (group == "failed" and c in unknown)]
        width = table[chosen].sum(axis=1).fillna(0).to_numpy(float) if chosen else np.zeros(len(names))
        if width.any():
            panel.add(Bars(y, left, width, role, label=group))
        left = left + width
    panel.y = Axis(
        len(names) - 0.4, -0.6, ticks=range(len(y)), names=list(names.values()), grid=False, role="ink"
    )
    panel.x = Axis(0, 1, show=drawing.percent, label="share of offered requests")
    drawing.legend_above(figure, drawing.named(figure.panels))
    return figure
