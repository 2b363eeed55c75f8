"""A small plotter: figures of panels, in the house style, written straight as SVG.

It knows what the report draws and no more, and takes a millisecond where a general library takes fifty.
Lengths are points (1/72 inch) where the name does not say otherwise; colours are roles of
`loadtests.look.palette`.
"""

from reports.drawing.axis import Axis
from reports.drawing.figure import PAGE_IN, Figure, Margins, message, panels
from reports.drawing.legend import legend_above, legend_below, legend_inside, legend_right, named
from reports.drawing.marks import (
    DASH_DOTTED,
    DASHED,
    DOTTED,
    SOLID,
    Area,
    Bars,
    Dash,
    Hatch,
    Line,
    Mark,
    Rectangle,
    Segments,
    Span,
)
from reports.drawing.panel import Panel
from reports.drawing.scale import change, percent, plain
from reports.drawing.words import SIZE, Anchor, Words

__all__ = [
    "DASHED",
    "DASH_DOTTED",
    "DOTTED",
    "PAGE_IN",
    "SIZE",
    "SOLID",
    "Anchor",
    "Area",
    "Axis",
    "Bars",
    "Dash",
    "Figure",
    "Hatch",
    "Line",
    "Margins",
    "Mark",
    "Panel",
    "Rectangle",
    "Segments",
    "Span",
    "Words",
    "change",
    "legend_above",
    "legend_below",
    "legend_inside",
    "legend_right",
    "message",
    "named",
    "panels",
    "percent",
    "plain",
]
