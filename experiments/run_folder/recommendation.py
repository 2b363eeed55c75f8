"""recommendation.json: the setting to apply, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.run_folder.stored_setting import StoredSetting
from experiments.stats.goodput import Interval
from experiments.stats.knee import Capacity


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


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another setting, and why it is not the one."""

    setting: StoredSetting
    name: str
    goodput_per_s: Interval
    """at the hardest load, requests per second"""
    worst_regret: float
    """the largest part of the best goodput that it loses at any load, 0-1"""
    why_not: str


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
