"""A figure of the report as one of matplotlib, to be changed and saved; imported only where it is asked for.

Made without pyplot: no figure is kept anywhere, no setting of the process is read or changed by it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable

from matplotlib import figure as of_matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis as Written
from matplotlib.ticker import NullLocator
from matplotlib.transforms import Affine2D, Transform

from reports.drawing import artists
from reports.drawing.axis import Axis
from reports.drawing.ink import light
from reports.drawing.key import Key
from reports.drawing.panel import LABEL, PAD, TICK, Panel
from reports.drawing.place import Place
from reports.drawing.scale import Scale
from reports.drawing.words import SIZE, Anchor, Words, printable

_POINTS = 72.0
_ALIGNED = {Anchor.START: "left", Anchor.MIDDLE: "center", Anchor.END: "right"}
_UPRIGHT = {Anchor.START: "bottom", Anchor.MIDDLE: "center", Anchor.END: "top"}
"""A text that stands upright reads upwards: its start is below."""


class Picture(of_matplotlib.Figure):
    """A figure of matplotlib that a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        """For a notebook."""
        held = io.BytesIO()
        self.savefig(held, format="png")
        return held.getvalue()


def picture(
    size: tuple[float, float], panels: Iterable[Panel], words: Iterable[Words], keys: Iterable[Key]
) -> Picture:
    """An axes for each panel, in their order, in the light colours; `size`: width and height, points."""
    width, height = size
    found = Picture(figsize=(width / _POINTS, height / _POINTS), facecolor=light("surface"))
    # From points of the figure, y downwards, whatever its resolution is when it is saved.
    points = (
        Affine2D().scale(1 / _POINTS, -1 / _POINTS).translate(0, height / _POINTS) + found.dpi_scale_trans
    )
    for panel in panels:
        bottom = height - panel.top - panel.height
        sides = (panel.left / width, bottom / height, panel.width / width, panel.height / height)
        _fill(found.add_axes(sides, facecolor="none"), panel, points)
    for key in keys:
        sample = artists.sample(key)
        sample.set_transform(points)
        found.add_artist(sample)
    for one in words:
        _write(found, one, (one.x, one.y), points)
    return found


def _fill(axes: Axes, panel: Panel, points: Transform) -> None:
    place = panel.place
    _settle(axes, panel, place)
    for mark in panel.marks:
        artists.add(mark, axes, place)
    # Adding artists may move the ends.
    axes.set_xlim(place.across.low, place.across.high)
    axes.set_ylim(place.up.low, place.up.high)
    # What is written at a point of the axes stays with it when their ends are moved, all else where it is.
    to_shares = points + axes.transAxes.inverted()
    for one in panel.words:
        if one.point is not None:
            _write(axes, one, one.point, axes.transData)
        else:
            x, y = to_shares.transform((one.x, one.y))
            _write(axes, one, (x, y), axes.transAxes)


def _settle(axes: Axes, panel: Panel, place: Place) -> None:
    """Scales, ticks, title and frame."""
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set(visible=panel.floor and side == "bottom", color=light("grid"), linewidth=0.8)
        spine.set_zorder(artists.GRID_ORDER)
    axes.set_xscale("log" if place.across.logarithmic else "linear")
    axes.set_yscale("log" if place.up.logarithmic else "linear")
    axes.set_xlim(place.across.low, place.across.high)
    axes.set_ylim(place.up.low, place.up.high)
    _along(axes.xaxis, panel.x, place.across)
    _along(axes.yaxis, panel.y, place.up)
    if panel.title:
        title = axes.set_title(printable(panel.title), loc="left", pad=5.0)
        title.set(color=light(panel.title_role), size=SIZE, weight="bold", parse_math=False)


def _along(written: Written, axis: Axis, scale: Scale) -> None:
    """Ticks, what stands at them, and the label."""
    ticks = axis.written_at(scale)
    written.set_minor_locator(NullLocator())
    names = [printable(name) if axis.written else "" for _, name in ticks]
    written.set_ticks([at for at, _ in ticks], labels=names, parse_math=False)
    written.set_tick_params(length=0, pad=PAD, labelsize=TICK, labelcolor=light(axis.role))
    if axis.grid:
        written.grid(visible=True, color=light("grid"), linewidth=0.7)
    written.set_label_text(printable(axis.label), color=light("muted"), size=LABEL)
    written.label.set_parse_math(False)


def _write(onto: Axes | of_matplotlib.Figure, words: Words, at: tuple[float, float], to: Transform) -> None:
    onto.text(
        *at,
        printable(words.text).strip(),
        transform=to,
        color=light(words.role),
        size=words.size,
        weight="bold" if words.bold else "normal",
        horizontalalignment="center" if words.upright else _ALIGNED[words.anchor],
        verticalalignment=_UPRIGHT[words.anchor] if words.upright else "center_baseline",
        rotation=90 if words.upright else 0,
        parse_math=False,
        clip_on=words.point is not None,
    )
