"""Two sources of one number: how far Prometheus's histogram is from the records, against the width of its
bucket.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from loadtests.look.palette import light
from reports import labels
from reports.figures import canvas


def agreement(frame: pd.DataFrame) -> Figure:
    """A dot per cell at Prometheus / records − 1, a line over the bucket; a row per metric and quantile of
    `Run.agreement`.

    Dots that disagree by more than a bucket are red crosses.
    """
    usable = frame[(frame["records_s"] > 0) & frame["prometheus_s"].notna()]
    if not len(usable):
        return canvas.message("There is no pair of numbers to compare.")
    rows = list(dict.fromkeys(zip(usable["metric"], usable["quantile"], strict=True)))
    figure, (ax,) = canvas.axes(
        8.6, 0.75 + 0.33 * len(rows), margins=canvas.Margins(left=2.0, bottom=0.45, top=0.12)
    )
    for y, (metric, quantile) in enumerate(rows):
        part = usable[(usable["metric"] == metric) & (usable["quantile"] == quantile)]
        spread = np.linspace(-0.28, 0.28, len(part)) if len(part) > 1 else np.zeros(1)
        base = part["records_s"].to_numpy(float)
        low, high, shift = (
            part[f"{n}_s"].to_numpy(float) / base - 1 for n in ("bucket_low", "bucket_high", "prometheus")
        )
        agrees = part["agrees"].to_numpy(bool)
        ax.hlines(y + spread, low, high, color=light("sky"), linewidth=1.4, alpha=0.5)
        ax.plot(shift[agrees], (y + spread)[agrees], "o", color=light("blue"), markersize=3)
        ax.plot(
            shift[~agrees], (y + spread)[~agrees], "x", color=light("red"), markersize=6, markeredgewidth=2
        )
    ax.axvline(0, color=light("muted"), linewidth=0.9)
    ax.set_yticks(range(len(rows)), [canvas.literal(f"{labels.metric(m)} {q}") for m, q in rows])
    ax.tick_params(axis="y", colors=light("ink"))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value * 100:+g} %")
    ax.set_xlabel("Prometheus relative to the records (line: the histogram bucket)")
    return figure
