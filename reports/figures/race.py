"""A race of settings over time: until when each was measured, who led, and how sure that was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.run_folder.race_story import EngineRace, RaceLook, RacePlace
from loadtests.look import palette
from loadtests.look.palette import light
from reports import numbers
from reports.figures import canvas

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
        return canvas.message("Nothing was judged in this race.")
    rows_in, left_in = _ROW_IN * len(places), 0.3 + 0.078 * max(len(words[place.name]) for place in places)
    height_in, width_in = rows_in + _SURE_IN + 1.25, 9.6
    figure, (bars, sure) = canvas.axes(width_in, height_in, rows=2, share_x=True)
    left, width = min(left_in / width_in, canvas.WIDEST_LEFT), 1 - 0.6 / width_in
    bars.set_position((left, (_SURE_IN + 0.95) / height_in, width - left, rows_in / height_in))
    sure.set_position((left, 0.5 / height_in, width - left, _SURE_IN / height_in))
    for y, place in enumerate(places):
        ink = _bar(bars, y, place, _until_min(raced, place), winner=place.name == raced.winner)
        for begin_s, end_s in led(raced.looks, place.name):
            bars.plot([begin_s / 60, end_s / 60], [y, y], color=ink, linewidth=2)
    bars.set_yticks(range(len(places)), [canvas.literal(words[place.name]) for place in places])
    bars.tick_params(axis="y", colors=light("ink"))
    bars.tick_params(axis="x", labelbottom=False)
    bars.set_ylim(len(places) - 0.4, -0.6)
    bars.grid(False, axis="y")
    bars.set_xlim(0, 1.08 * _end_min(raced))
    canvas.title(bars, "Measured until")
    _sureness(sure, raced)
    return figure


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


def _bar(ax: Axes, y: int, place: RacePlace, until_min: float, *, winner: bool) -> str:
    """Draw it; the colour of what is drawn on it."""
    fill, ink = light("shade"), light("ink")
    if place.ratio is not None:
        share = (place.ratio - _WORST) / (1 - _WORST)
        step = palette.COOL[int(np.clip(share * len(palette.COOL), 0, len(palette.COOL) - 1))]
        fill, ink = step[0], step[2]
    edge = light("orange" if winner else "surface")
    ax.barh(y, until_min, height=0.68, color=fill, edgecolor=edge, linewidth=2.0 if winner else 0.6)
    text = numbers.percent(place.ratio)
    ax.annotate(
        text, (until_min, y), (4, 0), textcoords="offset points", va="center",
        fontsize=canvas.SIZE - 1.2, color=light("ink"),
    )  # fmt: skip
    return ink


def _sureness(ax: Axes, raced: EngineRace) -> None:
    looks = raced.looks
    times = [look.spent_s / 60 for look in looks] + [_end_min(raced)]
    good = [look.good for look in looks] + [raced.good]
    ax.step(times, good, where="post", color=light("blue"), linewidth=1.6)
    ax.plot(times[-1:], good[-1:], "o", color=light("blue"), markersize=4)
    ax.set_ylim(0, 1.05)
    ax.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    canvas.title(ax, "Sure that nothing is better than the leader")
    ax.set_xlabel("engine time since the race began, min")
