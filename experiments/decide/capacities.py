"""How many requests a second a setting takes, from whatever was measured of it at steady loads."""

from __future__ import annotations

from experiments.decide.evidence import Evidence, Judged
from experiments.measure.cell_evidence import is_stationary
from experiments.spec.setting import Setting
from experiments.stats.class_capacity import capacity_under
from experiments.stats.knee import Capacity
from experiments.stats.stretch import stretch_of
from gateway.limits import Limits
from loadtests.slo import SLO


def capacity_of(setting: Evidence, slo: SLO) -> Capacity | None:
    """The largest steady rate at which the setting meets the objective, on an engine as fast as this one was
    over the run; None where no steady rate was measured."""
    every: list[Judged] = [one for of in setting.by_load.values() for one in of]
    every += [one for of in setting.confirming.values() for one in of]
    known = [
        stretch_of(one.cell.rate_per_s, one.fair, one.speed)
        for one in (*every, *setting.searched)
        if is_stationary(one.cell.scenario)
    ]
    return capacity_under(known, slo) if known else None


def is_next_to(setting: Setting, chosen: Setting) -> bool:
    """Whether they differ on one axis: of such a neighbour one wants to know how much it takes."""
    return len(setting.differs_in(chosen)) == 1


def holds(setting: Setting, limits: Limits | None) -> bool:
    """Whether these are the gateway's limits in it; a queue that is never used has none that matter."""
    return limits is not None and Setting(limits).name == Setting(setting.limits).name
