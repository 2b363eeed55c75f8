"""What a race knows beyond the cells that ran: which runs stand for which settings, and how they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.racing.choice import chosen
from experiments.racing.course import Course
from experiments.racing.of_cells import StretchReader
from experiments.racing.standing import RaceStanding, stand
from experiments.racing.story import read
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.stats.choice import Choice
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class Raced:
    """A run's race judged anew from its cells. `winner`: place of the setting to take; None without one."""

    course: Course
    standing: RaceStanding
    winner: int | None


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


def judged_again(run: Path, cells: Sequence[MeasuredCell], slo: SLO) -> Raced | None:
    """The race under `slo`, from all of the run's cells; None where it was no race."""
    settings = settings_of(run)
    matrix = [cell for cell in cells if cell.of_matrix]
    if not settings or not matrix:
        return None
    loads = _loads(matrix)
    course = Course(settings, tuple(loads), 0.0, lambda _: 0.0)
    stretches = [s for s in StretchReader(loads, slo).read(matrix) if s.usable]
    standing = stand(settings, loads, stretches)
    alive = [i for i in range(len(settings)) if not standing.worse[i]]
    return Raced(course, standing, chosen(course, standing, stretches, alive))


def choice(raced: Raced, contenders: Sequence[Setting]) -> Choice | None:
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


def _loads(cells: Sequence[MeasuredCell]) -> list[Load]:
    found: dict[str, Load] = {}
    for cell in cells:
        workload = cell.summary.workload
        relative = workload.relative_load
        load = Load(workload.scenario, cell.rate_per_s, relative, workload.workload)
        found.setdefault(cell.load, load)
    return [found[name] for name in sorted(found)]
