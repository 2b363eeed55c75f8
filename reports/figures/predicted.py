"""Predicted against measured: each cell's measure with both intervals, and the ±10 % band."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from reports import drawing, labels, numbers
from reports.drawing import Area, Axis, Figure, Line, Margins, Panel, Segments

# what it is → (role, marker, filled)
KINDS = {
    "in its prediction interval": ("blue", "o", True),
    "outside of it": ("red", "X", True),
    "not scored: measured too vaguely": ("grey", "o", False),
}
SHOW: dict[str, Callable[[float | None], str]] = {
    "rate": numbers.asked,
    "percent": numbers.percent,
    "s": numbers.seconds,
}


def predicted(frame: pd.DataFrame) -> Figure:
    """A panel per measure of `Run.predicted`: measured to the right with its 95 % interval, predicted up
    with its prediction interval; on the diagonal they are equal. Latencies are on logarithmic axes.
    """
    usable = frame[(frame["predicted"] > 0) & (frame["measured"] > 0)]
    if not len(usable):
        return drawing.message("No prediction has a measurement beside it.")
    metrics = [name for name in labels.PREDICTED if (usable["metric"] == name).any()]
    metrics += sorted(set(usable["metric"]) - set(metrics))
    columns = min(3, len(metrics))
    rows = -(-len(metrics) // columns)
    figure = drawing.panels(
        3.5 * columns + 0.3, 3.25 * rows + 0.4, rows=rows, columns=columns,
        margins=Margins(left=0.75, top=0.7, between=0.32, below=0.38),
    )  # fmt: skip
    del figure.panels[len(metrics) :]
    for panel, metric in zip(figure.panels, metrics, strict=True):
        _compared(panel, usable[usable["metric"] == metric], metric)
    drawing.legend_above(figure, drawing.named(figure.panels[:1]))
    return figure


def _compared(panel: Panel, part: pd.DataFrame, metric: str) -> None:
    kind = labels.PREDICTED.get(metric, ("", "s"))[1]
    logarithmic = kind == "s"
    ends = _ends(part, logarithmic=logarithmic)
    panel.add(
        Area(ends, ends * 0.9, ends * 1.1, "shade", label="±10 %"),
        Line(ends, ends, "grey", width=0.9, order=1),
    )
    scored, inside = part["scored"].to_numpy(bool), part["inside"].to_numpy(bool)
    for (name, look), chosen in zip(KINDS.items(), (scored & inside, scored & ~inside, ~scored), strict=True):
        _points(panel, part[chosen], name, look)
    low, high = ends.tolist()
    panel.x = Axis(low, high, logarithmic, label="measured", show=SHOW[kind], most=4)
    panel.y = Axis(low, high, logarithmic, label="predicted", show=SHOW[kind], most=4)
    panel.title = labels.predicted_name(metric)


def _points(panel: Panel, part: pd.DataFrame, name: str, look: tuple[str, str, bool]) -> None:
    role, marker, filled = look
    x, y = part["measured"].to_numpy(float), part["predicted"].to_numpy(float)
    # An interval that is not known has no length.
    left, right = (
        part[f"measured_{end}"].fillna(part["measured"]).to_numpy(float) for end in ("low", "high")
    )
    below, above = (
        part[f"predicted_{end}"].fillna(part["predicted"]).to_numpy(float) for end in ("low", "high")
    )
    # Drawn empty too: the legend is of the first panel and names every kind.
    panel.add(
        Segments(left, y, right, y, role, width=0.9, opacity=0.6),
        Segments(x, below, x, above, role, width=0.9, opacity=0.6),
        Line(x, y, role, width=0, marker=marker, size=5, filled=filled, label=name),
    )


def _ends(part: pd.DataFrame, *, logarithmic: bool) -> np.ndarray:
    """Both ends of both axes: everything drawn, with a margin."""
    drawn = part[
        ["predicted", "predicted_low", "predicted_high", "measured", "measured_low", "measured_high"]
    ]
    values = drawn.to_numpy(float)
    low, high = float(np.nanmin(values[values > 0])), float(np.nanmax(values))
    return np.array([low / 1.15, high * 1.15] if logarithmic else [0.0, high * 1.08])
