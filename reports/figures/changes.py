"""Two runs compared: the relative change of the goodput of every pair, with its interval."""

from __future__ import annotations

import numpy as np

from experiments.decide.comparison import RunComparison
from experiments.stats.paired import Comparison, Verdict
from reports import drawing, labels
from reports.drawing import Axis, Figure, Line, Margins, Segments, Span

_ROW_IN = 0.27
# verdict → colour, name in the legend
LOOKS = {
    Verdict.DIFFERENT: ("orange", "different"),
    Verdict.EQUAL: ("blue", "equal"),
    Verdict.CANT_TELL: ("grey", "can't tell"),
}


def changes(found: RunComparison) -> Figure:
    """A row per setting and load, the whole at the foot; shaded: the change that does not matter. What had no
    goodput on either side has no change and is left out.
    """
    rows = [(f"{labels.setting(row.pair.setting)} · {row.pair.load}", row.goodput) for row in found.rows]
    rows = [row for row in [*rows, ("all that were judged", found.overall)] if row[1].relative is not None]
    if not rows:
        return drawing.message("No pair had any goodput: there is no change to draw.")
    left_in = 0.3 + 0.078 * max(len(name) for name, _ in rows)
    figure = drawing.panels(
        max(7.5, left_in + 4.5), 1.1 + _ROW_IN * len(rows),
        margins=Margins(left=left_in, right=0.3, bottom=0.45, top=0.6),
    )  # fmt: skip
    (panel,) = figure.panels
    panel.add(Span(-found.delta, found.delta, "shade"), Span(0, 0, "muted", width=0.8, order=1))
    for verdict, (role, name) in LOOKS.items():
        of = [(y, *_places(one)) for y, (_, one) in enumerate(rows) if one.verdict is verdict]
        at, middle, low, high = (np.array([place[i] for place in of], float) for i in range(4))
        panel.add(
            Line(middle, at, role, width=0, marker="o", label=name),
            Segments(low, at, high, at, role, width=1.4),
        )
    names = [name for name, _ in rows]
    panel.y = Axis(len(rows) - 0.4, -0.6, ticks=range(len(rows)), names=names, grid=False, role="ink")
    panel.x.show = drawing.change
    panel.x.label = f"change of the goodput from {found.a.name} to {found.b.name}"
    drawing.legend_above(figure, drawing.named(figure.panels))
    return figure


def _places(one: Comparison) -> tuple[float, float, float]:
    """The change and the ends of its interval; nan for what is not known."""
    known = (one.relative, one.relative_low, one.relative_high)
    middle, low, high = (np.nan if value is None else value for value in known)
    return middle, low, high
