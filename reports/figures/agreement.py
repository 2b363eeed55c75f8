"""Two sources of one number: how far Prometheus's histogram is from the records, against the width of its
bucket.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports import drawing, labels
from reports.drawing import Axis, Figure, Line, Margins, Segments, Span


def agreement(frame: pd.DataFrame) -> Figure:
    """A dot per cell at Prometheus / records − 1, a line over the bucket; a row per metric and quantile of
    `Run.agreement`.

    Dots that disagree by more than a bucket are red crosses.
    """
    usable = frame[(frame["records_s"] > 0) & frame["prometheus_s"].notna()]
    if not len(usable):
        return drawing.message("There is no pair of numbers to compare.")
    rows = list(dict.fromkeys(zip(usable["metric"], usable["quantile"], strict=True)))
    margins = Margins(left=2.0, right=0.35, bottom=0.45, top=0.12)
    figure = drawing.panels(8.6, 0.75 + 0.33 * len(rows), margins=margins)
    (panel,) = figure.panels
    for y, (metric, quantile) in enumerate(rows):
        part = usable[(usable["metric"] == metric) & (usable["quantile"] == quantile)]
        spread = np.linspace(-0.28, 0.28, len(part)) if len(part) > 1 else np.zeros(1)
        base = part["records_s"].to_numpy(float)
        low, high, shift = (
            part[f"{n}_s"].to_numpy(float) / base - 1 for n in ("bucket_low", "bucket_high", "prometheus")
        )
        agrees = part["agrees"].to_numpy(bool)
        panel.add(
            Segments(low, y + spread, high, y + spread, "sky", width=1.4, opacity=0.5),
            Line(shift[agrees], (y + spread)[agrees], "blue", width=0, marker="o", size=3),
            Line(shift[~agrees], (y + spread)[~agrees], "red", width=0, marker="x", size=6),
        )
    panel.add(Span(0, 0, "muted", width=0.9, order=1))
    names = [f"{labels.metric(metric)} {quantile}" for metric, quantile in rows]
    panel.y = Axis(len(rows) - 0.4, -0.6, ticks=range(len(rows)), names=names, grid=False, role="ink")
    panel.x.show, panel.x.most = drawing.change, 8
    panel.x.label = "Prometheus relative to the records (line: the histogram bucket)"
    return figure
