"""The largest load that still meets the objective, with an interval, or that it lies outside of what was
measured.

Capacity under an SLO is the largest offered rate at which the share of the offered requests that meet it is
at least the target in the long run (the second definition of goodput: Zhong et al., DistServe, OSDI 2024). A
knee by curvature (Kneedle) moves with the range of the axis and is not used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from experiments.stats.attainment_curve import Posterior, posterior
from experiments.stats.stretch import Stretch

_BEYOND = 1.15
"""How far beyond the measured rates a crossing is still believed."""
_PLAUSIBLE = 0.147
"""exp(-1.92): a likelihood ratio above it lies inside of a 95 % interval."""


class CapacityVerdict(StrEnum):
    """Where the capacity lies among the measured loads."""

    FOUND = "found"
    """among them"""
    NOT_REACHED = "not_reached"
    """above all of them"""
    BELOW_RANGE = "below_range"
    """below all of them"""


class CapacityUnit(StrEnum):
    """What a capacity counts."""

    REQUESTS = "requests"
    SESSIONS = "sessions"


@dataclass(frozen=True, slots=True)
class Capacity:
    """The largest steady rate at which an objective is met, per second; None: there is none."""

    verdict: CapacityVerdict
    value_per_s: float | None
    """where the attainment falls to the target: the median of what the measured stretches leave possible"""
    low_per_s: float | None
    """lower end of its 95 % interval; none where nothing that was measured bounds it"""
    high_per_s: float | None
    """the upper end"""
    why: str
    """the verdict in words"""
    unit: CapacityUnit = CapacityUnit.REQUESTS
    """what is counted per second"""

    @property
    def half_width(self) -> float | None:
        """Half of the interval's width as a part of the value; None without one."""
        if self.value_per_s is None or self.low_per_s is None or self.high_per_s is None:
            return None
        return (self.high_per_s - self.low_per_s) / (2 * self.value_per_s)


def capacity(stretches: Sequence[Stretch], target: float) -> Capacity:
    """Capacity under the SLO from measured stretches of steady load (any order and rates, at least one)."""
    return capacity_of(posterior(stretches, target), stretches)


def capacity_of(known: Posterior, stretches: Sequence[Stretch]) -> Capacity:
    """The same, where the posterior was computed already."""
    asked = [stretch.rate_per_s for stretch in stretches]
    came = [stretch.came_per_s for stretch in stretches]
    value, (low, high) = known.quantile(0.5), _ends(known)
    above = value is None and known.of_rate[-len(known.of_rate) // 2 :].sum() > 0.5
    if _none_missed(stretches) or above or (value is not None and value > max(came) * _BEYOND):
        why = f"not reached in this range: met at every rate up to {max(asked):.3g}/s"
        return Capacity(CapacityVerdict.NOT_REACHED, None, low, None, why)
    if value is None or value < min(came) / _BEYOND:
        why = f"already missed at the lowest rate, {min(asked):.3g}/s"
        return Capacity(CapacityVerdict.BELOW_RANGE, None, None, high, why)
    if low is None and high is None:
        said = "with nothing measured that bounds it"
    elif low is None:
        said = f"surely below {high:.3g}/s"
    elif high is None:
        said = f"surely above {low:.3g}/s"
    else:
        said = f"between {low:.3g} and {high:.3g}/s with 95 % confidence"
    return Capacity(CapacityVerdict.FOUND, value, low, high, said)


def _ends(known: Posterior) -> tuple[float | None, float | None]:
    """Of the 95 % interval. Where the end of what the posterior reaches is itself plausible, nothing that was
    measured bounds it on that side: the quantile would only say how far the posterior was drawn."""
    of_rate = known.of_rate
    first, last = (float(of_rate[at]) > _PLAUSIBLE * float(of_rate.max()) for at in (0, -1))
    return None if first else known.quantile(0.025), None if last else known.quantile(0.975)


def _none_missed(stretches: Sequence[Stretch]) -> bool:
    """Whether nothing bounds the capacity from above: its median then lies where the prior has it."""
    return all(stretch.good == stretch.offered for stretch in stretches)
