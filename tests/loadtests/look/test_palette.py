"""Colours that everyone can tell apart and read."""

import itertools
import math
import re

import pytest

from loadtests.look import palette
from loadtests.look.sheet import style

PAGES = ("#ffffff", "#191d24")
MARKS = ("blue", "sky", "orange", "red", "green", "purple", "grey", "amber")
TEXTS = ("ink", "muted", "blue", "green", "orange", "red")


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("role", MARKS)
def test_marks_stand_out_from_the_page(role: str, theme: int) -> None:
    """WCAG 1.4.11: 3 : 1 for lines and bars."""
    assert palette.contrast(palette.ROLES[role][theme], PAGES[theme]) >= 3


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("role", TEXTS)
@pytest.mark.parametrize("ground", ["surface", "shade", "page", "tint", "caution"])
def test_text_is_readable(role: str, ground: str, theme: int) -> None:
    """WCAG 1.4.3: 4.5 : 1 for text, on every ground."""
    assert palette.contrast(palette.ROLES[role][theme], palette.ROLES[ground][theme]) >= 4.5


@pytest.mark.parametrize("ramp", [palette.COOL, palette.WARM])
def test_numbers_in_the_heat_map_are_readable_on_every_step(ramp: tuple[tuple[str, ...], ...]) -> None:
    """4.5 : 1 for each step's own text colour; the steps only ever get darker (light) or lighter (dark)."""
    for fill, dark_fill, text, dark_text in ramp:
        assert palette.contrast(fill, text) >= 4.5
        assert palette.contrast(dark_fill, dark_text) >= 4.5
    for (light, dark, *_), (next_light, next_dark, *_) in itertools.pairwise(ramp):
        assert palette.contrast(next_light, "#ffffff") > palette.contrast(light, "#ffffff")
        assert palette.contrast(next_dark, "#000000") > palette.contrast(dark, "#000000")


def test_lines_that_share_a_panel_differ_for_the_colour_blind() -> None:
    """With red and green merged, as deuteranopes and protanopes see: blue, orange and purple stay apart."""
    for weights in (((0.29, 0.71), (0.29, 0.71)), ((0.11, 0.89), (0.11, 0.89))):
        for one, other in itertools.combinations(("blue", "orange", "purple"), 2):
            assert _distance(palette.light(one), palette.light(other), weights) > 30


def _distance(one: str, other: str, weights: tuple[tuple[float, float], tuple[float, float]]) -> float:
    def seen(colour: str) -> tuple[float, float, float]:
        r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return weights[0][0] * r + weights[0][1] * g, weights[1][0] * r + weights[1][1] * g, b

    return math.dist(seen(one), seen(other))


def test_the_sheet_uses_only_colours_of_the_palette() -> None:
    """A variable that is not defined is drawn as nothing; a colour that is written out does not follow the
    theme (on paper, where there is one, it may).
    """
    sheet = style()
    used = set(re.findall(r"var\(--([\w-]+)\)", sheet)) - {"width", "gutter"}
    assert used <= set(palette.variables())
    components = sheet[sheet.index("/* What all pages share") :]
    assert re.findall(r"#[0-9a-f]{3,6}\b", components[: components.index("@media print")]) == []
