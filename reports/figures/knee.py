"""The knee: attainment over the offered rate, and where it falls to the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from experiments.stats.knee import CapacityVerdict
from reports import drawing
from reports.drawing import DASHED, SIZE, Axis, Figure, Line, Margins, Panel, Segments, Span, Words

if TYPE_CHECKING:
    from reports.knees import SettingKnee

COLUMNS = 4


def knee(found: Sequence[SettingKnee], target: float) -> Figure:
    """A panel per setting, all with the same axes: attainment with its 95 % interval at each steady rate, the
    target, and the knee with its interval, where it lies among what was measured; of eight settings at most.
    """
    if not found:
        return drawing.message("No setting has been measured under a steady load.")
    shown = found[: 2 * COLUMNS]
    columns = min(len(shown), COLUMNS)
    rows = -(-len(shown) // columns)
    figure = drawing.panels(
        max(5.0, 3.3 * columns), 0.8 + 2.2 * rows, rows=rows, columns=columns,
        margins=Margins(left=0.6, bottom=0.7, between=0.22, below=0.75),
    )  # fmt: skip
    top = max(point.rate_per_s for one in shown for point in one.points) * 1.15
    del figure.panels[len(shown) :]
    for panel, one in zip(figure.panels, shown, strict=True):
        _points(panel, one, target, top)
    return figure


def _points(panel: Panel, one: SettingKnee, target: float, top: float) -> None:
    panel.title = one.setting
    rates = [point.rate_per_s for point in one.points]
    low, high = [point.low for point in one.points], [point.high for point in one.points]
    panel.add(
        Segments(rates, low, rates, high, "blue"),
        Line(rates, [point.attainment for point in one.points], "blue", width=1.6, marker="o", size=4),
        Span(target, target, "red", width=1.1, dash=DASHED, lying=True, order=2),
    )
    panel.x = Axis(0, top, label="offered, requests/s")
    panel.y = Axis(0, 1.04, show=drawing.percent)
    _mark(panel, one, top)


def _mark(panel: Panel, one: SettingKnee, top: float) -> None:
    """The knee as a band and a line; elsewhere the side on which it lies, in words."""
    at = one.capacity
    if at.verdict is CapacityVerdict.FOUND and at.value_per_s is not None:
        low, high = (at.low_per_s or 0.0), min(at.high_per_s or np.inf, top)
        panel.add(
            Span(low, high, "green", opacity=0.12),
            Span(at.value_per_s, at.value_per_s, "green", width=1.4, order=2),
        )
        text = f"knee {at.value_per_s:.3g}/s"
    else:
        side = "beyond" if at.verdict is CapacityVerdict.NOT_REACHED else "below"
        text = f"knee {side} these rates"
    x, y = panel.left + 0.02 * panel.width, panel.top + panel.height - 8
    panel.words.append(Words(text, x, y, "green", SIZE - 1))
