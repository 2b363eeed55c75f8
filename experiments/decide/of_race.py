"""What a race knows beyond the cells that ran: which runs stand for which settings, and how they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.decide.counted_cells import counted
from experiments.racing.choice import chosen
from experiments.racing.course import Course
from experiments.racing.missed_classes import Missed, missed_classes
from experiments.racing.of_cells import StretchReader
from experiments.racing.standing import WITHIN, RaceStanding, stand
from experiments.racing.story import read
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.run_folder.reading import read_run
from experiments.run_folder.recommendation import Neighbour, Standing
from experiments.spec.durations import about
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.stats.choice import Choice
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class RaceJudgement:
    """A run's race judged anew from its cells. `winner`: place of the setting to take; None without one.
    `missed`: load classes that settings surely miss, and others do not."""

    course: Course
    standing: RaceStanding
    winner: int | None
    missed: Missed


def settings_of(run: Path) -> tuple[Setting, ...]:
    """Every setting that was in a race of the run; none where it was no race."""
    story = read(run)
    races = () if story is None else story.races
    return tuple(dict.fromkeys(place.setting for race in races for place in race.places))


def stood_for(run: Path, cells: Sequence[MeasuredCell]) -> Mapping[Setting, Sequence[MeasuredCell]]:
    """Settings with the cells of others that stand for them: runs on the same arrivals under wider limits
    that they did not touch. Of one load and block one at most, and none where the setting ran itself."""
    settings = settings_of(run)
    if not settings:
        return {}
    matrix = [cell for cell in cells if cell.of_matrix]
    stretches = StretchReader(_loads(matrix), SLO(ttft_s=1.0)).read(matrix)
    by_cell = {s.cell: cell for s, cell in zip(stretches, matrix, strict=True)}
    found: dict[Setting, dict[tuple[Load, int], MeasuredCell]] = {setting: {} for setting in settings}
    for stretch in stretches:
        at = (stretch.cell.load, stretch.cell.block)
        for setting in settings:
            other = replace(stretch.cell, setting=setting)
            if other not in by_cell and at not in found[setting] and stretch.stands_for(other):
                found[setting][at] = by_cell[stretch.cell]
    return {setting: list(of.values()) for setting, of in found.items() if of}


def judged_again(run: Path, cells: Sequence[MeasuredCell], slo: SLO) -> RaceJudgement | None:
    """The race under `slo`, from all of the run's cells; None where it was no race."""
    settings = settings_of(run)
    matrix = [cell for cell in cells if cell.of_matrix]
    if not settings or not matrix:
        return None
    loads = _loads(matrix)
    course = Course(settings, tuple(loads), 0.0, lambda _: 0.0, slo=slo)
    own = {cell.id for cell in counted(matrix).cells}
    read_all = zip(matrix, StretchReader(loads, slo).read(matrix), strict=True)
    stretches = [replace(stretch, usable=True) for cell, stretch in read_all if cell.id in own]
    missed = missed_classes(course, stretches)
    standing = stand(settings, loads, stretches, out=tuple(missed))
    confirmed = _confirmed(run, slo)
    if confirmed in settings:
        return RaceJudgement(course, standing, settings.index(confirmed), missed)
    alive = [i for i in range(len(settings)) if not standing.worse[i]]
    return RaceJudgement(course, standing, chosen(course, standing, stretches, alive), missed)


def _confirmed(run: Path, slo: SLO) -> Setting | None:
    """The winner of the run's only race, under the objective it was run for: what was confirmed is what is
    recommended, however close another came. None under another objective, or where engines are compared."""
    story, own = read(run), read_run(run).slo
    if story is None or len(story.races) != 1 or own is None or str(own.slo) != str(slo):
        return None
    (only,) = story.races
    return next((place.setting for place in only.places if place.name == only.winner), None)


def choice(raced: RaceJudgement, contenders: Sequence[Setting]) -> Choice | None:
    """The choice as a race makes it, among settings that were measured, or stood for, at every load; None
    where it has none."""
    standing, settings = raced.standing, raced.course.settings
    if raced.winner is None or standing.leader is None or settings[raced.winner] not in contenders:
        return None
    places = [i for i, setting in enumerate(settings) if setting in contenders]
    tied = [i for i in places if not standing.worse[i]]
    best = float(max(standing.score[i] for i in places))
    return Choice(
        chosen=settings[raced.winner].name,
        winner=settings[standing.leader].name,
        tied=tuple(settings[i].name for i in tied),
        regret={settings[i].name: max(0.0, 1 - float(standing.score[i]) / max(best, 1e-9)) for i in places},
    )


def as_raced(raced: RaceJudgement, run: Path, neighbours: Sequence[Neighbour]) -> tuple[Neighbour, ...]:
    """The neighbours with what the race says of them: a setting's score is the least share of the best
    goodput over the loads, and in a race it is scores that are told apart."""
    story = read(run)
    places = [] if story is None else [place for race in story.races for place in race.places]
    further_s = {place.setting: place.further_s for place in places}
    return tuple(_as_raced(raced, one, further_s.get(one.setting)) for one in neighbours)


def _as_raced(raced: RaceJudgement, one: Neighbour, further_s: float | None) -> Neighbour:
    standing = raced.standing
    if standing.leader is None or one.setting not in raced.course.settings:
        return one
    i = raced.course.settings.index(one.setting)
    if i in raced.missed:
        text = f"it surely misses the objective of {' and '.join(raced.missed[i])}"
        return replace(one, standing=Standing.WORSE, why_not=text, further_s=None)
    if standing.worse[i]:
        at_most = f"its score is at most {float(standing.high[i]):.0%} of the best one's"
        text = f"{one.why_not}; {at_most}" if one.standing is Standing.WORSE else at_most
        return replace(one, standing=Standing.WORSE, why_not=text, further_s=None)
    kind = _unless_surely_worse(float(standing.low[i]), float(standing.high[i]), bool(standing.whole[i]))
    between = f"its score is {float(standing.low[i]):.0%} to {float(standing.high[i]):.0%} of the best one's"
    more_s = None if kind is Standing.EQUAL else further_s
    time = f"; about {about(more_s)} more would tell" if more_s else ""
    return replace(one, standing=kind, why_not=between + time, further_s=more_s)


def _unless_surely_worse(low: float, high: float, whole: bool) -> Standing:
    """By the 95 % interval of the score over the best one's. Where not every load was measured it is an
    upper bound: it can show that a setting is worse, and not that it is as good."""
    if whole and low >= 1 - WITHIN and high <= 1 / (1 - WITHIN):
        return Standing.EQUAL
    return Standing.PROBABLY_WORSE if high < 1 else Standing.CANT_TELL


def _loads(cells: Sequence[MeasuredCell]) -> list[Load]:
    found: dict[str, Load] = {}
    for cell in cells:
        workload = cell.summary.workload
        relative = workload.relative_load
        load = Load(workload.scenario, cell.rate_per_s, relative, workload.workload)
        found.setdefault(cell.load, load)
    return [found[name] for name in sorted(found)]
