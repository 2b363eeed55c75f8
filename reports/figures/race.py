"""A race of settings over time: until when each was measured, who led, and how sure that was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from experiments.run_folder.race_story import EngineRace, RaceLook, RacePlace
from loadtests.look import palette
from reports import drawing, numbers
from reports.drawing import SIZE, Axis, Bars, Figure, Line, Panel, Words
from reports.drawing.figure import POINTS, WIDEST_LEFT

_WORST = 0.5
"""Of the leader's score: what is below has the lightest shade."""
_ROW_IN, _SURE_IN = 0.235, 0.75


def race(raced: EngineRace, words: Mapping[str, str]) -> Figure:
    """A bar per setting from the start to the look at which it left, shaded by its score over the leader's,
    with that number at its end; a line in it while it led. Below: the probability that no setting is
    better than the leader by more than the indifference zone. Time is engine time.

    Args:
        words: the settings' names → what is written beside the bars.
    """
    places = in_order(raced)
    if not places or not raced.looks:
        return drawing.message("Nothing was judged in this race.")
    rows_in, left_in = _ROW_IN * len(places), 0.3 + 0.078 * max(len(words[place.name]) for place in places)
    width, height = POINTS * 9.6, POINTS * (rows_in + _SURE_IN + 1.25)
    left, across = min(POINTS * left_in, WIDEST_LEFT * width), Axis(0, 1.08 * _end_min(raced))
    bars = Panel(left, POINTS * 0.3, width - left - POINTS * 0.6, POINTS * rows_in, across)
    for y, place in enumerate(places):
        ink = _bar(bars, y, place, _until_min(raced, place), winner=place.name == raced.winner)
        for begin_s, end_s in led(raced.looks, place.name):
            bars.add(Line([begin_s / 60, end_s / 60], [y, y], ink, width=2, order=3))
    names = [words[place.name] for place in places]
    bars.y = Axis(len(places) - 0.4, -0.6, ticks=range(len(places)), names=names, grid=False, role="ink")
    for y, place in enumerate(places):
        until = _until_min(raced, place)
        text, middle = numbers.percent(place.ratio), float(bars.place.y(y))
        bars.words.append(Words(text, float(bars.place.x(until)) + 4, middle, "ink", SIZE - 1.2))
    bars.title = "Measured until"
    bars.x = replace(across, written=False)
    sure = Panel(left, height - POINTS * (_SURE_IN + 0.5), bars.width, POINTS * _SURE_IN, across)
    _sureness(sure, raced)
    return Figure(width, height, [bars, sure])


def in_order(raced: EngineRace) -> list[RacePlace]:
    """The one that was taken, those that stayed, the best first, and those that left, the last first."""
    return sorted(
        raced.places,
        key=lambda one: (
            one.name != raced.winner,
            one.left_at is not None,
            -(one.left_at or 0),
            -(one.ratio or 0),
        ),
    )


def led(looks: Sequence[RaceLook], name: str) -> list[tuple[float, float]]:
    """From when to when a setting led, seconds: each look says who leads from then on."""
    ends = [*(look.spent_s for look in looks[1:]), looks[-1].spent_s] if looks else []
    spans = [(a.spent_s, end_s) for a, end_s in zip(looks, ends, strict=True) if a.leader == name]
    joined: list[tuple[float, float]] = []
    for begin_s, end_s in spans:
        begins_s = joined.pop()[0] if joined and joined[-1][1] == begin_s else begin_s
        joined.append((begins_s, end_s))
    return joined


def left_s(raced: EngineRace, place: RacePlace) -> float | None:
    """When a setting left, seconds since the race began; None where it stayed."""
    if place.left_at is None or not 0 < place.left_at <= len(raced.looks):
        return None
    return raced.looks[place.left_at - 1].spent_s


def _end_min(raced: EngineRace) -> float:
    return max(1.0, *(look.spent_s for look in raced.looks)) / 60


def _until_min(raced: EngineRace, place: RacePlace) -> float:
    left = left_s(raced, place)
    return _end_min(raced) if left is None else left / 60


def _bar(panel: Panel, y: int, place: RacePlace, until_min: float, *, winner: bool) -> str:
    """Draw it; the colour of what is drawn on it."""
    fill, ink = "shade", "ink"
    if place.ratio is not None:
        share, steps = (place.ratio - _WORST) / (1 - _WORST), len(palette.COOL)
        step = int(np.clip(share * steps, 0, steps - 1))
        fill, ink = f"cool{step}", f"on-cool{step}"
    edge, edge_width = ("orange", 2.0) if winner else ("surface", 0.6)
    panel.add(Bars([y], [0.0], [until_min], fill, edge, edge_width))
    return ink


def _sureness(panel: Panel, raced: EngineRace) -> None:
    looks = raced.looks
    times = [look.spent_s / 60 for look in looks] + [_end_min(raced)]
    good = [look.good for look in looks] + [raced.good]
    panel.add(
        Line(times, good, "blue", width=1.6, steps=True),
        Line(times[-1:], good[-1:], "blue", width=0, marker="o", size=4),
    )
    panel.y = Axis(0, 1.05, ticks=[0, 0.5, 1], show=drawing.percent)
    panel.title = "Sure that nothing is better than the leader"
    panel.x.label = "engine time since the race began, min"
