"""The stretch over time, with what is usual behind it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from reports import drawing, numbers
from reports.drawing import DASHED, Area, Axis, Figure, Line, Margins, Panel, Span
from reports.explain.harm import Harm
from reports.explain.observed import Observed
from reports.explain.signal import Signal, Unit
from reports.explain.written import amount

Floats = NDArray[np.float64]

WIDTH_IN = 12.5
_ALWAYS = (Signal.OFFERED, Signal.QUEUE_P95, Signal.TTFT_P95, Signal.TPOT, Signal.RUNNING)
_MOST = 12
_FAR = 5.0
_COLUMNS = 2


def over_time(observed: Observed, harm: Harm) -> Figure:
    """A panel for what is always looked at and for what changed most: the stretch as a line, the middle 90 %
    of comparable stretches as a band; bins in which it was bad are shaded."""
    shown = _shown(observed, harm)
    if not shown:
        return drawing.message("Nothing is known over time.")
    rows = -(-len(shown) // _COLUMNS)
    margins = Margins(left=0.85, right=0.2, bottom=0.45, top=0.6, between=0.22, below=0.5)
    figure = drawing.panels(WIDTH_IN, 0.7 + 1.35 * rows, rows=rows, columns=_COLUMNS, margins=margins)
    drawn = figure.panels[: len(shown)]
    figure.panels[:] = drawn
    for panel, signal in zip(drawn, shown, strict=True):
        _panel(panel, observed, harm, signal)
    drawing.legend_above(figure, drawing.named(drawn[:1]))
    return figure


def _shown(observed: Observed, harm: Harm) -> list[Signal]:
    always = [signal for signal in _ALWAYS if observed.has(signal)]
    changes = {signal: abs(observed.change(signal, harm.bad).z) for signal in Signal if observed.has(signal)}
    changed = sorted((one for one in changes if changes[one] > _FAR), key=lambda one: -changes[one])
    return list(dict.fromkeys([*always, *changed]))[:_MOST]


def _panel(panel: Panel, observed: Observed, harm: Harm, signal: Signal) -> None:
    stretches, values = observed.stretches, observed.of(signal)
    at_s = (np.arange(stretches.bins) + 0.5) * stretches.bin_s
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a bin of which nothing usual is known
        low, middle, high = np.nanquantile(values[1:], (0.05, 0.5, 0.95), axis=0)
    known = np.isfinite(low)
    panel.title = f"{signal.words}{_unit(signal)}"
    for place in np.flatnonzero(harm.bad).tolist() if harm.any else ():
        panel.add(Span(place * stretches.bin_s, (place + 1) * stretches.bin_s, "caution"))
    if known.any():
        panel.add(Area(at_s[known], low[known], high[known], "shade", label="usual: 5 to 95 %"))
        panel.add(Line(at_s[known], middle[known], "grey", dash=DASHED, label="usual: median"))
    panel.add(Line(at_s, values[0], "blue", width=1.8, marker="o", size=3.0, label="this time"))
    drawn = np.concatenate([values[0], high])
    top = float(np.nanmax(drawn))
    bottom = float(np.nanmin(np.concatenate([values[0], low])))
    panel.y = Axis(show=_show(signal), most=3)
    panel.y.span(0.0 if bottom < 0.6 * top else bottom - 0.1 * (top - bottom + 1e-9 * top), 1.08 * top or 1.0)
    panel.x = _clock(stretches.asked.from_s, stretches.length_s)


def _clock(from_s: float, length_s: float) -> Axis:
    at = np.linspace(0, length_s, 4).tolist()
    pattern = "%H:%M" if length_s >= 240 else "%H:%M:%S"
    names = [datetime.fromtimestamp(from_s + one).strftime(pattern) for one in at]
    return Axis(0.0, length_s, ticks=at, names=names)


def _unit(signal: Signal) -> str:
    return ", tokens" if signal.unit is Unit.TOKENS else ""


def _show(signal: Signal) -> Callable[[float], str]:
    def show(value: float) -> str:
        if signal.unit in (Unit.COUNT, Unit.TOKENS):
            return numbers.significant(value, 3) if value else "0"
        return amount(value, signal.unit)

    return show
