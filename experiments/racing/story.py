"""How a race went, kept with the run: race.json."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import scipy

from experiments.design.cell_purpose import CellPurpose
from experiments.racing.course import Course
from experiments.racing.race import Raced
from experiments.racing.standing import SURE, WITHIN
from experiments.run_folder import codec
from experiments.run_folder.measured_cell import finished_cells
from experiments.run_folder.race_story import EngineRace, RacePlace, RaceStory
from experiments.stack.engine_knobs import EngineKnobs

FILE = "race.json"
_LONGEST_S = 1e6


def keep(run: Path, knobs: EngineKnobs, course: Course, raced: Raced) -> None:
    """Write the race on this start of the engine beside those that are there; one of the same start is
    replaced."""
    earlier = read(run)
    others = [] if earlier is None else [
        one for one in earlier.races if one.places and one.places[0].setting.engine != knobs
    ]  # fmt: skip
    codec.write(run / FILE, RaceStory((*others, _engine_race(course, raced))))


def is_over(run: Path, knobs: EngineKnobs) -> bool:
    """Whether the race on this start of the engine has a winner that was confirmed: nothing is left to do."""
    story = read(run)
    races = [] if story is None else story.races
    winners = {one.winner for one in races if one.places and one.places[0].setting.engine == knobs}
    confirmed = {
        cell.setting.name
        for cell in finished_cells(run)
        if cell.purpose is CellPurpose.CAPACITY and cell.setting.engine == knobs
    }
    return bool(winners & confirmed)


def read(run: Path) -> RaceStory | None:
    """The races of a run; None for a run that was none, or whose file cannot be read."""
    path = run / FILE
    if not path.exists():
        return None
    found, _ = codec.read_tolerantly(RaceStory, path, dict)
    return found


def _engine_race(course: Course, raced: Raced) -> EngineRace:
    winner = None if raced.winner is None else course.settings[raced.winner].name
    return EngineRace(
        end=raced.ended,
        within=WITHIN,
        good=raced.standing.good,
        winner=winner,
        looks=raced.looks,
        places=tuple(_place(course, raced, i) for i in range(len(course.settings))),
    )


def _place(course: Course, raced: Raced, i: int) -> RacePlace:
    standing, setting = raced.standing, course.settings[i]
    left = next((one for one in raced.left if one.place == i), None)
    counts = zip(course.loads, standing.stretches[i].tolist(), strict=True)
    return RacePlace(
        setting=setting,
        name=setting.name,
        stretches={str(load): int(count) for load, count in counts if count},
        ratio=_known(standing.ratio[i]),
        low=_known(standing.low[i]),
        high=_known(standing.high[i]),
        better=float(standing.better[i]),
        left_at=None if left is None else left.look,
        further_s=None if left is not None else further_s(course, raced, i),
    )


def further_s(course: Course, raced: Raced, i: int) -> float | None:
    """About how much longer the leader and this setting would have to run until the chance that it is
    better by more than the indifference zone is small: standard errors shrink with the root of the
    stretches. None where that is so already, or the two are so close to the zone's edge that it would take
    days."""
    standing = raced.standing
    leader = standing.leader
    if leader is None or i == leader or standing.better[i] <= 1 - SURE:
        return None
    edge = -math.log(1 - WITHIN)
    gap = edge - math.log(max(1e-9, float(standing.ratio[i])))
    spread = math.log(max(1e-9, float(standing.high[i]))) - math.log(max(1e-9, float(standing.low[i])))
    error = spread / (2 * float(scipy.stats.norm.isf(0.025)))
    wanted = float(scipy.stats.norm.isf(1 - SURE))
    if gap <= 0 or error <= 0:
        return None
    times = (wanted * error / gap) ** 2 - 1
    loads = np.flatnonzero(standing.decides[[leader, i]].max(axis=0) > 0.03)
    each_s = sum(2 * course.cell_s(course.loads[j]) for j in loads)
    blocks = max(1, int(standing.stretches[i].max()))
    found = max(1.0, times * blocks) * each_s
    return found if found < _LONGEST_S else None


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
