"""How a race went, kept with the run: race.json."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy

from experiments.racing.course import Course
from experiments.racing.race import Raced
from experiments.racing.standing import SURE, WITHIN
from experiments.run_folder import codec
from experiments.run_folder.race_story import EngineRace, RacePlace, RaceStory
from experiments.stack.engine_knobs import EngineKnobs

FILE = "race.json"
_LONGEST_S = 1e6


def keep(run: Path, knobs: EngineKnobs, course: Course, raced: Raced) -> None:
    """Write the race on this start of the engine beside those that are there; one of the same start is
    replaced."""
    earlier = read(run)
    others = [] if earlier is None else [one for one in earlier.races if not _is_on(one, knobs)]
    codec.write(run / FILE, RaceStory((*others, _engine_race(course, raced))))


def follow_up(run: Path, knobs: EngineKnobs) -> None:
    """Note that the winner on this start of the engine was confirmed, and its largest rate searched."""
    story = read(run)
    assert story is not None, "a race was kept"
    races = (replace(one, followed_up=True) if _is_on(one, knobs) else one for one in story.races)
    codec.write(run / FILE, RaceStory(tuple(races)))


def is_over(run: Path, knobs: EngineKnobs) -> bool:
    """Whether nothing is left to do on this start of the engine."""
    story = read(run)
    return story is not None and any(one.followed_up and _is_on(one, knobs) for one in story.races)


def _is_on(one: EngineRace, knobs: EngineKnobs) -> bool:
    return bool(one.places) and one.places[0].setting.engine == knobs


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
        missed=() if left is None else left.missed,
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
