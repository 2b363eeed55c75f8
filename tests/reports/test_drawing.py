"""The plotter: where things are drawn, and that what it writes is a document."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from loadtests.look import palette
from reports import drawing
from reports.drawing import Anchor, Area, Axis, Bars, Hatch, Line, Margins, Rectangle, Segments, Span, Words
from reports.drawing.ink import light, of_page
from reports.drawing.scale import Scale
from reports.svg import inline

SVG = "{http://www.w3.org/2000/svg}"


def _panel(width_in: float = 2.0, height_in: float = 2.0) -> tuple[drawing.Figure, drawing.Panel]:
    """A figure that is nothing but a panel, from 0 to 10 on both axes."""
    nowhere = Margins(left=0.0, right=0.0, bottom=0.0, top=0.0)
    figure = drawing.panels(width_in, height_in, margins=nowhere)
    (panel,) = figure.panels
    panel.x, panel.y = Axis(0, 10), Axis(0, 10)
    return figure, panel


def _numbers(outline: str) -> list[float]:
    return [float(one) for one in re.findall(r"-?[\d.]+", outline)]


def test_a_line_lies_where_its_numbers_are() -> None:
    """The origin is below on the left; the panel is 144 points wide and high."""
    _, panel = _panel()
    drawn = Line([0, 10, 5], [0, 10, 2.5], "blue").svg(panel.place, of_page)
    assert _numbers(re.findall(r'd="([^"]*)"', drawn)[0]) == [0, 144, 144, 0, 72, 108]
    assert "stroke:var(--blue)" in drawn


def test_a_line_has_a_hole_where_a_number_is_missing() -> None:
    """Nothing is drawn across it, and a marker only where there is a number."""
    _, panel = _panel()
    drawn = Line([0, 1, 2, 3], [1, math.nan, 3, 4], "blue", marker="s").svg(panel.place, of_page)
    line, markers = re.findall(r'd="([^"]*)"', drawn)
    assert line.count("M") == 2
    assert markers.count("M") == 3


def test_a_line_in_steps_stays_level_until_the_next_point() -> None:
    """A share keeps its value until the next request."""
    _, panel = _panel()
    drawn = Line([0, 5], [10, 5], "blue", steps=True).svg(panel.place, of_page)
    assert _numbers(re.findall(r'd="([^"]*)"', drawn)[0]) == [0, 0, 72, 0, 72, 72]


def test_axes_hold_what_is_drawn() -> None:
    """With a little room; a band stretches none, a line across the panel does; an end that is set stays."""
    figure = drawing.panels(3.0, 3.0)
    (panel,) = figure.panels
    panel.add(Line([1, 2], [10, 20], "blue"), Span(0, 99, "shade"), Span(40, 40, "red", 1.0, lying=True))
    panel.y.low = 0
    across, up = panel.place.across, panel.place.up
    assert (across.low, across.high) == pytest.approx((0.95, 2.05))
    assert up.low == 0
    assert up.high == pytest.approx(41.5)


@pytest.mark.parametrize(
    ("low", "high", "most", "ticks"),
    [
        (0.0, 1.0, 6, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.0, 23.0, 6, [0.0, 5.0, 10.0, 15.0, 20.0]),
        (-0.1, 0.1, 4, [-0.1, -0.05, 0.0, 0.05, 0.1]),
        (10.0, 0.0, 5, [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]),
    ],
)
def test_ticks_are_round(low: float, high: float, most: int, ticks: list[float]) -> None:
    """Multiples of 1, 2, 2.5 or 5, from end to end, also where the axis is turned round."""
    assert Scale(low, high).ticks(most) == pytest.approx(ticks)


def test_a_logarithmic_axis_has_powers_and_what_is_not_above_zero_lies_below() -> None:
    """Ten times as much is always as far; 0 is not an error but out of sight."""
    scale = Scale(0.01, 100.0, logarithmic=True)
    assert scale.share([0.01, 0.1, 1.0, 10.0, 100.0]).tolist() == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert float(scale.share(0.0)) < -10
    assert scale.ticks(5) == pytest.approx([0.01, 0.1, 1.0, 10.0, 100.0])
    assert Scale(0.2, 3.0, logarithmic=True).ticks(5) == pytest.approx([0.2, 0.5, 1.0, 2.0])


def test_a_figure_is_a_document_whatever_its_words_are() -> None:
    """Words of a user's model are text, never elements, and characters that no document may hold are gone."""
    figure, panel = _panel(4.0, 3.0)
    panel.title = '<script>alert("x")</script> & \x00\x1b]]>'
    panel.add(
        Line([1, 2], [3, 4], "blue", marker="o", label="<b>"),
        Bars([1], [0], [3], "red", label="bars"),
        Area([0, 1], [0, 1], [1, 2], "shade", label="area"),
        Segments([1], [1], [2], [np.nan], "grey"),
        Rectangle(1, 1, 2, 2, "orange", 1.0, "cool3", mark="0-box"),
        Hatch(3, 3, 4, 4),
    )
    panel.words.append(Words("upright", 5, 5, anchor=Anchor.END, upright=True))
    drawing.legend_above(figure, drawing.named(figure.panels))
    for text in (figure.svg("a < b"), f'<svg xmlns="{SVG[1:-1]}">{figure.body("n", of_page)}</svg>'):
        root = ET.fromstring(text)
        assert root.find(f".//{SVG}script") is None
        assert "<b>" in [element.text for element in root.iter(f"{SVG}text")]
    assert "\x00" not in figure.svg()


def test_every_colour_is_a_role_in_the_page_and_light_on_its_own() -> None:
    """A page changes its theme; a picture in a notebook stays readable on its own ground."""
    figure, panel = _panel()
    panel.add(Bars([1], [0], [3], "cool6"))
    assert "#" not in inline(figure, "x", "bars").replace("url(#", "")
    assert palette.COOL[6][0] in figure.svg()
    assert light("ink") == palette.light("ink")


def test_ids_of_two_figures_differ() -> None:
    """In a page by the figure's name, in a notebook by what is drawn."""
    one, panel = _panel()
    other, _ = _panel()
    panel.add(Line([0, 1], [0, 1], "blue"))
    ids = re.compile(r' id="([^"]*)"')
    assert set(ids.findall(inline(one, "a b", ""))).isdisjoint(ids.findall(inline(one, "c", "")))
    assert set(ids.findall(one.svg())).isdisjoint(ids.findall(other.svg()))


def test_a_legend_above_takes_another_row_where_it_must() -> None:
    """All names are inside the figure."""
    figure, panel = _panel(4.5, 3.0)
    panel.add(*(Line([0], [0], "blue", label=f"a rather long name {at}") for at in range(5)))
    drawing.legend_above(figure, drawing.named(figure.panels))
    assert len({words.y for words in figure.words}) == 3
    assert all(words.x < figure.width - 60 for words in figure.words)
