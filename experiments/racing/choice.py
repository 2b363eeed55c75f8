"""Of the settings that cannot be told apart, the one to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from experiments.racing.course import Course
from experiments.racing.judged_stretch import JudgedStretch
from experiments.racing.standing import RaceStanding

INDIFFERENCE = 0.01
"""Score that a margin, or modesty, may cost: a third of the indifference zone."""
AS_STEADY = 0.01
"""Scores on a slower engine this close are equal: then the more modest setting is taken."""

Floats = npt.NDArray[np.float64]


def chosen(
    course: Course, standing: RaceStanding, stretches: Sequence[JudgedStretch], alive: Sequence[int]
) -> int | None:
    """Among those within a hair of the leader, the one that loses least on an engine 5 % slower; of those the
    most modest: fewer slots, then a shorter queue. None without a leader."""
    leader = standing.leader
    if leader is None:
        return None
    near = [
        i
        for i in alive
        if standing.whole[i]
        and standing.ratio[i] >= 1 - INDIFFERENCE
        and standing.low[i] >= 1 - 5 * INDIFFERENCE
    ]
    near = near or [leader]
    slower = _scores_when_slower(course, standing, stretches, near)
    steadiest = max(slower[i] for i in near)
    steady = [i for i in near if slower[i] >= steadiest - AS_STEADY]
    return min(steady, key=lambda i: course.settings[i].smaller_first)


def _scores_when_slower(
    course: Course, standing: RaceStanding, stretches: Sequence[JudgedStretch], near: Sequence[int]
) -> Floats:
    """(settings,): the least share of the best goodput over the loads, each times what is kept of it.

    Those that are `near` are judged under their own limits also where another's run stands for theirs; of the
    rest only what the best keep counts, and the run's own limits are near enough.
    """
    kept = np.full((len(course.settings), len(course.loads)), np.nan)
    for i, setting in enumerate(course.settings):
        for j, load in enumerate(course.loads):
            here = [s for s in stretches if s.cell.load == load]
            found = [
                s.kept_under(setting.limits if i in near else s.cell.setting.limits)
                for s in here
                if standing.whole[i] and s.stands_for(replace(s.cell, setting=setting))
            ]
            if found:
                kept[i, j] = float(np.mean(found))
    goodput = standing.goodput * kept
    best = np.nanmax(np.where(standing.whole[:, None], goodput, np.nan), axis=0)
    share = np.where(best > 0, goodput / np.where(best > 0, best, 1.0), 1.0)
    return np.asarray(np.min(np.nan_to_num(share, nan=np.inf), axis=1))
