"""How many requests a second each setting of a run takes, from every steady stretch that was measured of it,
whatever it was measured for."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.errors import UserError
from experiments.racing.steady_stretches import stretches_of
from experiments.run_folder.measured_cell import MeasuredCell, finished_cells
from experiments.run_folder.relative_speed import usual_speed
from experiments.spec.setting import Setting
from experiments.stats.class_capacity import capacity_under
from experiments.stats.knee import Capacity, CapacityVerdict
from experiments.stats.stretch import attainment_of, by_rate
from reports.errors import NotARunError
from reports.run import Run


@dataclass(frozen=True, slots=True)
class RatePoint:
    """Attainment at a nominal rate (requests per second) over all stretches there, with its 95 % interval."""

    rate_per_s: float
    attainment: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SettingKnee:
    """A setting in words, its points in ascending order of the rate, and where its attainment falls to the
    target."""

    setting: str
    points: tuple[RatePoint, ...]
    capacity: Capacity

    @property
    def found(self) -> bool:
        """Whether the knee lies among the measured rates."""
        return self.capacity.verdict is CapacityVerdict.FOUND


def knees(run: Run) -> list[SettingKnee]:
    """One for each setting with a valid cell under a steady load, the one that takes most first.

    Raises:
        NotARunError: there is none, with why and what to do.
    """
    if run.state is None or run.state.slo is None or run.state.slo.attainment is None:
        raise NotARunError(
            f"{run.name} has no objective with a share to keep, so no knee: it ended before it had one, or "
            "is no sweep."
        )
    try:
        cells = [cell for cell in finished_cells(run.path) if not cell.is_sentinel]
    except UserError as error:
        raise NotARunError(str(error)) from None
    usual = usual_speed(cells)
    own: dict[Setting, list[MeasuredCell]] = {}
    for cell in cells:
        own.setdefault(cell.setting, []).append(cell)
    found = [one for setting, of in own.items() if (one := _knee(run, setting, of, usual)) is not None]
    if not found:
        raise NotARunError(
            f"No valid cell of {run.name} had a steady load: a knee takes some (--load sustained@0.7x)."
        )
    return sorted(found, key=lambda one: -_takes_per_s(one))


def _knee(run: Run, setting: Setting, cells: list[MeasuredCell], usual: float) -> SettingKnee | None:
    slo = run.slo.slo
    stretches = stretches_of(cells, slo, usual)
    if not stretches:
        return None
    points = tuple(RatePoint(rate, *attainment_of(of)) for rate, of in by_rate(stretches).items())
    return SettingKnee(run.naming.of(setting), points, capacity_under(stretches, slo))


def _takes_per_s(one: SettingKnee) -> float:
    """What is known of it, to be sorted by: an unreached capacity is above what was seen."""
    at = one.capacity
    return next((known for known in (at.value_per_s, at.low_per_s, at.high_per_s) if known is not None), 0.0)
