"""Marks as artists of matplotlib: in the numbers of an axes, and as samples in a legend.

Imported only where such a figure is asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch, Polygon
from matplotlib.patches import Rectangle as Box
from matplotlib.path import Path

from reports.drawing import shapes
from reports.drawing.ink import light
from reports.drawing.key import Key
from reports.drawing.marks import Area, Bars, Dash, Hatch, Line, Mark, Rectangle, Segments, Span
from reports.drawing.place import Place

GRID_ORDER = 0.5
"""Where matplotlib draws a grid that lies below its axes' lines."""


def add(mark: Mark, axes: Axes, place: Place) -> None:
    """Draw the mark; `place` is where its panel lies, for what has a side on the page."""
    for artist in _artists(mark, axes, place):
        # Marks above 0 lie above the grid, all others below it.
        artist.set_zorder(mark.order + GRID_ORDER if mark.order > 0 else mark.order)


def sample(key: Key) -> Artist:
    """The sample of a legend; points of the figure, y downwards."""
    mark, x, y = key.mark, key.x, key.y
    if isinstance(mark, Line):
        # Three points, so that a marker stands in the middle.
        across = [x, x + key.length / 2, x + key.length]
        line = _line(replace(mark, x=across, y=[y, y, y], steps=False))
        line.set_markevery([1])
        return line
    if isinstance(mark, Span | Segments):
        dash = mark.dash if isinstance(mark, Span) else ()
        style = _style(dash)
        return Line2D(
            [x, x + key.length], [y, y], color=light(mark.role), linewidth=mark.width, linestyle=style
        )
    fill = light("ink") if isinstance(mark, Hatch) else light(_fill(mark))
    return Box((x, y - 3.2), key.length, 6.4, facecolor=fill, linewidth=0)


def _fill(mark: Mark) -> str:
    """The role of what is filled."""
    match mark:
        case Bars() | Area():
            return mark.role
        case Rectangle():
            return mark.fill or mark.edge
        case _:
            raise TypeError(f"no sample of {type(mark).__name__}")


def _artists(mark: Mark, axes: Axes, place: Place) -> list[Artist]:
    match mark:
        case Line():
            return [axes.add_line(_line(mark))]
        case Segments():
            return [axes.add_patch(_segments(mark))]
        case Bars():
            return _bars(mark, axes)
        case Area():
            colour, label = light(mark.role), mark.label or None
            return [axes.fill_between(mark.x, mark.low, mark.high, color=colour, linewidth=0, label=label)]
        case Span():
            return [_span(mark, axes)]
        case Rectangle():
            return [axes.add_patch(_rectangle(mark))]
        case Hatch():
            return [axes.add_patch(_hatch(mark, place))]
        case _:
            raise TypeError(f"no artist for {type(mark).__name__}")


def _style(dash: Dash) -> Literal["solid"] | tuple[float, Dash]:
    """Dashes are in widths of their line here and there."""
    return (0.0, dash) if dash else "solid"


def _line(mark: Line) -> Line2D:
    colour = light(mark.role)
    edge = 2.0 if mark.marker in shapes.OPEN else 0.0 if mark.filled else 1.0
    return Line2D(
        np.asarray(mark.x, float),
        np.asarray(mark.y, float),
        color=colour,
        linewidth=mark.width,
        linestyle=_style(mark.dash) if mark.width else "none",
        drawstyle="steps-post" if mark.steps else "default",
        marker=mark.marker or "none",
        markersize=mark.size,
        markerfacecolor=colour if mark.filled else light("surface"),
        markeredgecolor=colour,
        markeredgewidth=edge,
        label=mark.label or None,
    )


def _segments(mark: Segments) -> Patch:
    """One path of all pieces, so that they do not grow darker where one lies on another."""
    ends = np.broadcast_arrays(*(np.asarray(one, float) for one in (mark.x, mark.y, mark.to_x, mark.to_y)))
    pieces = np.stack([np.ravel(one) for one in ends], axis=1)
    corners = pieces[np.isfinite(pieces).all(axis=1)].reshape(-1, 2)
    path = Path(corners, np.tile([Path.MOVETO, Path.LINETO], len(corners) // 2))
    edge, label = light(mark.role), mark.label or None
    return PathPatch(
        path, facecolor="none", edgecolor=edge, linewidth=mark.width, alpha=mark.opacity, label=label
    )


def _bars(mark: Bars, axes: Axes) -> list[Artist]:
    left, length, y = (np.atleast_1d(np.asarray(one, float)) for one in (mark.left, mark.length, mark.y))
    left, length, y = np.broadcast_arrays(left, length, y)
    shown = length > 0
    bars = axes.barh(
        y[shown],
        length[shown],
        height=mark.thick,
        left=left[shown],
        color=light(mark.role),
        edgecolor=light(mark.edge),
        linewidth=mark.edge_width,
        label=mark.label or None,
    )
    return list(bars.patches)


def _span(mark: Span, axes: Axes) -> Artist:
    colour, label = light(mark.role), mark.label or None
    if mark.low == mark.high:
        along = axes.axhline if mark.lying else axes.axvline
        return along(
            mark.low,
            color=colour,
            linewidth=mark.width,
            linestyle=_style(mark.dash),
            alpha=mark.opacity,
            label=label,
        )
    band = axes.axhspan if mark.lying else axes.axvspan
    return band(mark.low, mark.high, color=colour, linewidth=0, alpha=mark.opacity, label=label)


def _rectangle(mark: Rectangle) -> Patch:
    return Box(
        (mark.left, mark.low),
        mark.right - mark.left,
        mark.high - mark.low,
        facecolor=light(mark.fill) if mark.fill else "none",
        edgecolor=light(mark.edge),
        linewidth=mark.width,
    )


def _hatch(mark: Hatch, place: Place) -> Patch:
    """The lower half on the page, which is the larger numbers' where the axis is turned round."""
    below, above = sorted((mark.low, mark.high), key=place.y, reverse=True)
    corners = [(mark.left, below), (mark.right, below), (mark.right, above)]
    hatch = Polygon(corners, facecolor="none", edgecolor=light("ink"), linewidth=0, hatch="/////")
    hatch.set_hatch_linewidth(0.9)
    return hatch
