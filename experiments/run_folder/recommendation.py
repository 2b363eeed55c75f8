"""recommendation.json: the setting to apply, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from experiments.run_folder.stored_setting import StoredSetting
from experiments.stats.goodput import Interval
from experiments.stats.knee import Capacity
from experiments.stats.overload import Overload
from experiments.twin.cliff import SpeedMargin


class Standing(StrEnum):
    """How another setting stands against the recommended one, on the arrivals that both met."""

    WORSE = "worse"
    """fewer good requests at some load, told apart from noise"""
    PROBABLY_WORSE = "probably_worse"
    """in a race: its score's whole 95 % interval lies below the best one's, which is not enough to call it
    surely worse after a stretch or two, or among so many settings"""
    EQUAL = "equal"
    """within 3 % at every load"""
    CANT_TELL = "cant_tell"
    """neither was found"""
    NOT_COMPARED = "not_compared"
    """there are no arrivals that both met"""


@dataclass(frozen=True, slots=True)
class ClassEvidence:
    """What one load class was served at a load, judged by its own objective."""

    name: str
    slo: str
    """its objective"""
    target: float
    """share of its offered requests that has to meet it, 0-1"""
    offered: int
    """requests of it"""
    attainment: float
    """share of them that met it, 0-1"""
    attainment_low: float
    """lower end of the 95 % interval, which allows for requests that are missed together"""
    attainment_high: float
    """the upper end"""
    goodput_per_s: float
    """those that met it, per second"""

    @property
    def met(self) -> bool:
        """Whether the share was met, as measured."""
        return self.attainment >= self.target

    @property
    def surely_missed(self) -> bool:
        """Whether the whole interval lies below it."""
        return self.attainment_high < self.target


@dataclass(frozen=True, slots=True)
class LoadEvidence:
    """The recommended setting at one load."""

    load: str
    rate_per_s: float | None
    """planned arrivals, requests per second"""
    goodput_per_s: Interval
    best_goodput_per_s: float | None
    """of any setting at this load, requests per second"""
    attainment: float
    """share of the offered requests that met the SLO, 0-1"""
    measured: bool | None = None
    """of a run of `tune`: false where the model says so and no cell"""
    stretches: int | None = None
    """arrival traces behind goodput and attainment"""
    confirmed: bool | None = None
    """whether these took no part in the choice"""
    speed_margin: SpeedMargin | None = None
    """how much slower the engine may become; none where the records do not tell"""
    classes: tuple[ClassEvidence, ...] = ()
    """the same for each load class, where there are several"""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another setting, and why it is not the one."""

    setting: StoredSetting
    name: str
    goodput_per_s: Interval
    """at the hardest of its loads, requests per second, brought to the arrivals of the recommended one"""
    worst_regret: float
    """the largest part of the best goodput that it loses at any load where it was measured, 0-1"""
    why_not: str
    standing: Standing | None = None
    stretches: dict[str, int] | None = None
    """arrival traces that it was measured on, by load; a load that is not there was not measured"""
    further_s: float | None = None
    """about how long measuring both on would take to find a difference of 5 %, seconds"""
    capacity: Capacity | None = None
    """the largest steady rate that meets the objective, from what was measured anyway; only of settings that
    differ from the recommended one in one limit, and of the current one"""
    current: bool | None = None
    """whether it is the current setting, as the spec has it"""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The setting to apply, with its evidence and its doubts."""

    setting: StoredSetting
    cell_ids: tuple[str, ...]
    """the measured cells behind it"""
    slo: str
    """the objective that requests were judged by"""
    engine: str | None
    """the engine's label"""
    worst_regret: float
    """the largest part of the best goodput that the setting loses at any load, 0-1"""
    loads: tuple[LoadEvidence, ...]
    goodput_per_s: Interval
    """at the hardest load, requests per second"""
    attainment: float
    """at the largest load that is not above capacity, 0-1"""
    capacity: Capacity | None
    """the largest steady rate that meets the objective; none where no steady rate was measured"""
    why: str
    neighbours: tuple[Neighbour, ...]
    inseparable: tuple[StoredSetting, ...]
    """settings that the data cannot tell from it"""
    doubts: tuple[str, ...]
    env: dict[str, str]
    """the variables of recommended.env"""
    source: str | None = None
    """`tune` where a model took part in the choice"""
    overload: Overload | None = None
    """what it does at the highest load, where that is above its capacity"""
