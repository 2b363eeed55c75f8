"""SVG paths of many points at once; all coordinates are points of the figure."""

from __future__ import annotations

import numpy as np

from reports.drawing.scale import Floats

OPEN = frozenset({"x"})
"""Markers that are strokes alone."""
_FAR = 1e4
"""Nothing is drawn further out than this, so that no number grows longer than it has to."""


def path(
    outline: str,
    *,
    fill: str = "",
    stroke: str = "",
    width: float = 1.0,
    dash: tuple[float, ...] = (),
    opacity: float = 1.0,
) -> str:
    """An element; nothing for an empty outline."""
    if not outline or outline == "Z":
        return ""
    style = f"fill:{fill or 'none'}"
    if stroke and width:
        style += f";stroke:{stroke};stroke-width:{width:g}"
    if dash:
        style += ";stroke-dasharray:" + " ".join(f"{part * width:.3g}" for part in dash)
    if opacity < 1:
        style += f";opacity:{opacity:g}"
    return f'<path d="{outline}" style="{style}"/>'


def polyline(x: Floats, y: Floats) -> str:
    """Through every point; where one is not a number it is interrupted."""
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return ""
    begins = known & ~np.concatenate([[False], known[:-1]])
    at_x, at_y = np.clip(x[known], -_FAR, _FAR).tolist(), np.clip(y[known], -_FAR, _FAR).tolist()
    letters = np.where(begins[known], "M", "L").tolist()
    return "".join([f"{letter}{a:.1f} {b:.1f}" for letter, a, b in zip(letters, at_x, at_y, strict=True)])


def stairs(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The corners of a line that runs level from each point to the next one's x."""
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]


def pieces(x: Floats, y: Floats, to_x: Floats, to_y: Floats) -> str:
    """Straight pieces, each on its own."""
    ends = np.stack([x, y, to_x, to_y], axis=1)
    ends = np.clip(ends[np.isfinite(ends).all(axis=1)], -_FAR, _FAR)
    return "".join([f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for a, b, c, d in ends.tolist()])


def boxes(left: Floats, top: Floats, right: Floats, bottom: Floats) -> str:
    """Rectangles with upright sides."""
    ends = np.clip(np.stack([left, top, right, bottom], axis=1), -_FAR, _FAR)
    return "".join(
        [f"M{a:.1f} {b:.1f}L{c:.1f} {b:.1f}L{c:.1f} {d:.1f}L{a:.1f} {d:.1f}Z" for a, b, c, d in ends.tolist()]
    )


def hatching(left: float, right: float, top: float, bottom: float, apart: float = 4.6) -> str:
    """Strokes parallel to the rising diagonal, in the lower right half of a rectangle."""
    shares = np.arange(0.0, 1.0, apart / max(apart, right - left))
    edge_x, edge_y = np.full(len(shares), right), np.full(len(shares), bottom)
    return pieces(left + shares * (right - left), edge_y, edge_x, top + shares * (bottom - top))


def markers(shape: str, x: Floats, y: Floats, size: float) -> str:
    """One sign at each point, `size` across; none for no shape."""
    if not shape:
        return ""
    known = np.isfinite(x) & np.isfinite(y)
    half = size / 2
    if shape == "o":
        sign = f"m{-half:g} 0a{half:g} {half:g} 0 1 0 {size:g} 0a{half:g} {half:g} 0 1 0 {-size:g} 0z"
    else:
        sign = _SIGNS[shape](half)
    places = zip(
        np.clip(x[known], -_FAR, _FAR).tolist(), np.clip(y[known], -_FAR, _FAR).tolist(), strict=True
    )
    return "".join([f"M{a:.1f} {b:.1f}{sign}" for a, b in places])


def _closed(*corners: tuple[float, float]) -> str:
    """A shape through corners that are counted from its middle."""
    (x, y), *rest = corners
    steps = f"m{x:g} {y:g}"
    for to_x, to_y in rest:
        steps += f"l{to_x - x:g} {to_y - y:g}"
        x, y = to_x, to_y
    return steps + "z"


_SIGNS = {
    "s": lambda h: _closed((-h, -h), (h, -h), (h, h), (-h, h)),
    "^": lambda h: _closed((0, -h), (h, h), (-h, h)),
    "v": lambda h: _closed((0, h), (h, -h), (-h, -h)),
    "D": lambda h: _closed((0, -1.3 * h), (1.3 * h, 0), (0, 1.3 * h), (-1.3 * h, 0)),
    "x": lambda h: f"m{-h:g} {-h:g}l{2 * h:g} {2 * h:g}m0 {-2 * h:g}l{-2 * h:g} {2 * h:g}",
    "X": lambda h: _closed(
        (-h, -0.5 * h), (-0.5 * h, -h), (0, -0.5 * h), (0.5 * h, -h), (h, -0.5 * h), (0.5 * h, 0),
        (h, 0.5 * h), (0.5 * h, h), (0, 0.5 * h), (-0.5 * h, h), (-h, 0.5 * h), (-0.5 * h, 0),
    ),
}  # fmt: skip
