"""race.json: how a race of settings went, and what it could tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from experiments.run_folder.stored_setting import StoredSetting


class RaceEnd(StrEnum):
    """Why a race ended."""

    SEPARATED = "separated"
    """the leader is surely within the indifference zone of the best"""
    BUDGET = "budget"
    """the time was used up"""
    ROUNDS = "rounds"
    """many rounds did not separate the rest: they differ by less than can be seen"""
    NOTHING = "nothing"
    """nothing that can be used was measured at every load"""


@dataclass(frozen=True, slots=True)
class RaceLook:
    """The race as it stood after some of its stretches."""

    deciding: str
    """what was being decided"""
    spent_s: float
    """engine time since the race began"""
    leader: str | None
    """name of the best setting so far; none before one was measured at every load"""
    good: float
    """probability that no setting is better than the leader by more than the indifference zone, 0-1"""
    left: tuple[str, ...]
    """names of the settings that left at this look"""


@dataclass(frozen=True, slots=True)
class RacePlace:
    """Where a setting stood at the end."""

    setting: StoredSetting
    name: str
    stretches: dict[str, int]
    """by load; those that another setting's run stands for are included"""
    ratio: float | None
    """its score over the leader's, the score being the least share of the best goodput over the loads; none
    where nobody led"""
    low: float | None
    """lower end of the 95 % interval of that"""
    high: float | None
    """the upper end"""
    better: float
    """probability that it is better than the leader by more than the indifference zone, 0-1"""
    left_at: int | None
    """number of the look at which it left, from 1; none where it stayed"""
    further_s: float | None
    """about how much longer measuring would separate it; none where it is separated, or never would be"""
    missed: tuple[str, ...] = ()
    """load classes for which it left: it surely misses their objective, and others do not"""


@dataclass(frozen=True, slots=True)
class EngineRace:
    """The race on one start of the engine."""

    end: RaceEnd
    within: float
    """the indifference zone, part of the score"""
    good: float
    """probability at the end that no setting is better than the leader by more than that, 0-1"""
    winner: str | None
    """name of the setting that was taken"""
    looks: tuple[RaceLook, ...]
    places: tuple[RacePlace, ...]
    """every setting of the matrix"""
    followed_up: bool = False
    """whether the winner was confirmed and its largest rate searched: nothing is left to do"""


@dataclass(frozen=True, slots=True)
class RaceStory:
    """The races of a run, one for each start of the engine."""

    races: tuple[EngineRace, ...]
