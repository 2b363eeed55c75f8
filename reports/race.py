"""How a run was decided: the section of a run whose settings were raced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.racing.standing import SURE
from experiments.run_folder.race_story import EngineRace, RaceEnd, RacePlace
from experiments.spec.durations import about
from reports import figures, numbers, svg, tables
from reports.blocks import Block
from reports.plots import Plots
from reports.run import Run


@dataclass(frozen=True, slots=True)
class RaceSection:
    """One race, on one start of the engine: how it ended in sentences, and its drawing with its table."""

    sentences: list[str]
    drawing: Block


def race_sections(run: Run) -> list[RaceSection]:
    """A section per race; none for a run that was none."""
    races = run.whole.race.races if run.whole.race is not None else ()
    return [_section(run, raced, at) for at, raced in enumerate(races)]


def _section(run: Run, raced: EngineRace, at: int) -> RaceSection:
    name = f"race-{at}"
    words = {place.name: run.naming.of(place.setting) for place in raced.places}
    title = "The race over time"
    alt = (
        f"{title}: a bar per setting until it left, and how sure the leader was; numbers in the table below."
    )
    drawing = Block(
        name,
        title,
        "Bar: until when a setting was measured, in engine time; the stronger its shade, the nearer its "
        "score is to the leader's (number at its end). Line in it: it led. Orange frame: taken. Below: the "
        f"probability that no setting is better than the leader by more than {raced.within * 100:g} %.",
        svg.inline(Plots(run).race(at), name, alt),
        tables.places(raced, words, run.engine),
    )
    return RaceSection([_ended(raced, words), *_not_told_apart(raced, words)], drawing)


def _ended(raced: EngineRace, words: Mapping[str, str]) -> str:
    left = sum(place.left_at is not None for place in raced.places)
    starving = [place for place in raced.places if place.missed]
    names = ", ".join(dict.fromkeys(name for place in starving for name in place.missed))
    for_classes = (
        f", {len(starving)} of them since {names} would surely miss its objective" if starving else ""
    )
    surely = f"{left} of {len(raced.places)} settings left as surely worse{for_classes}."
    sure = (
        f"With a probability of {numbers.percent(raced.good)} no setting is better than the leader by more "
        f"than {raced.within * 100:g} %."
    )
    winner = words.get(raced.winner or "", "")
    taken = f" Taken: {winner}." if winner else ""
    match raced.end:
        case RaceEnd.SEPARATED:
            return f"The race ended because that was sure enough. {sure} {surely}{taken}"
        case RaceEnd.BUDGET:
            return f"The race ended because its time was used up. {sure} {surely}{taken}"
        case RaceEnd.ROUNDS:
            return (
                "The race ended because many rounds did not separate the rest: they differ by less than can "
                f"be seen. {sure} {surely}{taken}"
            )
        case RaceEnd.NOTHING:
            return f"Nothing that can be used was measured at every load. {surely}"


def _not_told_apart(raced: EngineRace, words: Mapping[str, str]) -> list[str]:
    """Those that may still be better than the leader, with the time that would tell; a sentence or none."""
    open_ = [one for one in figures.in_order(raced) if one.left_at is None and one.better > 1 - SURE]
    if not open_:
        return []
    return [
        f"Not told apart from the leader: {'; '.join(f'{words[one.name]} ({_time(one)})' for one in open_)}."
    ]


def _time(place: RacePlace) -> str:
    if place.further_s is None:
        return "too close for more measuring to tell"
    return f"about {about(place.further_s)} more would tell"
