"""Where every setting of a race stood at its end."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.run_folder.race_story import EngineRace, RacePlace
from experiments.spec.durations import about
from reports import numbers
from reports.figures.race import in_order, left_s
from reports.tables.entry import Entry, Head, Table


def places(raced: EngineRace, words: Mapping[str, str], engine: str) -> Table:
    """A row per setting, a column per load for its stretches. `words`: the settings' names → in words."""
    loads = sorted({load for place in raced.places for load in place.stretches})
    heads = [Head("Setting", "gateway slots · queue", number=False)]
    heads += [Head(load, "stretches, those that another setting's run stands for included") for load in loads]
    heads += [
        Head(
            "Score / leader's",
            "score: the least share of the best goodput over the loads; 95 % interval below",
        ),
        Head(
            f"Better by > {raced.within * 100:g} %",
            "probability that it is better than the leader by more than that",
        ),
        Head("Measured until", "when it left the race, in engine time, and why", number=False),
        Head("Time to tell", "about how much longer measuring would separate it from the leader"),
    ]
    rows = [
        [
            Entry(words[place.name], words[place.name]),
            *(_count(place.stretches.get(load, 0)) for load in loads),
            Entry(
                numbers.percent(place.ratio), place.ratio, numbers.between(place.low, place.high, "percent")
            ),
            Entry(numbers.percent(place.better), place.better),
            _until(raced, place),
            Entry(
                numbers.DASH if place.further_s is None else f"about {about(place.further_s)}",
                place.further_s,
            ),
        ]
        for place in in_order(raced)
    ]
    return Table(f"The race · {engine}", heads, rows)


def _count(stretches: int) -> Entry:
    return Entry(numbers.count(stretches) if stretches else numbers.DASH, float(stretches))


def _until(raced: EngineRace, place: RacePlace) -> Entry:
    """Left and when, or the end and how it stands there."""
    if place.name == raced.winner:
        return Entry("the end", "the end", "taken", "good")
    left = left_s(raced, place)
    if left is not None:
        return Entry(numbers.seconds(left), left, "left: surely worse", "quiet")
    return Entry("the end", "the end", "could still be better" if place.further_s is not None else "")
