"""Predicted against measured, with the ±10 % band."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports import labels
from reports.figures import canvas
from reports.palette import light

LOOK = (("blue", "o"), ("orange", "s"), ("green", "^"), ("purple", "D"))


def predicted(frame: pd.DataFrame) -> Figure:
    """A panel per metric of `Run.predicted`: measured to the right, predicted up, with the prediction
    interval.
    """
    usable = frame[(frame["predicted"] > 0) & (frame["measured"] > 0)]
    if not len(usable):
        return canvas.message("This run holds no predictions.")
    metrics = list(dict.fromkeys(usable["metric"]))
    figure, panels = canvas.axes(3.1 * len(metrics) + 0.4, 3.2, columns=len(metrics), left=0.6, wspace=0.35)
    for ax, metric in zip(panels, metrics, strict=True):
        part = usable[usable["metric"] == metric]
        ends = np.array([part[["predicted", "measured"]].to_numpy(float).min() * 0.8,
                         part[["predicted", "measured"]].to_numpy(float).max() * 1.25])  # fmt: skip
        ax.fill_between(ends, ends * 0.9, ends * 1.1, color=light("shade"), linewidth=0)
        ax.plot(ends, ends, color=light("grey"), linewidth=0.9)
        for (quantile, rows), (role, marker) in zip(part.groupby("quantile"), LOOK, strict=False):
            ax.vlines(
                rows["measured"],
                rows["predicted_low"],
                rows["predicted_high"],
                color=light(role),
                linewidth=1,
            )
            ax.plot(
                rows["measured"],
                rows["predicted"],
                marker,
                color=light(role),
                markersize=4,
                label=str(quantile) or None,
            )
        canvas.title(ax, labels.metric(metric))
        ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="measured", ylabel="predicted")
        canvas.legend(ax, loc="upper left")
    return figure
