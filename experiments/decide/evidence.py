"""What a run's cells say of each setting, and on which arrivals two settings can be compared."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.decide.participants import participants
from experiments.design.cell_purpose import CellPurpose
from experiments.run_folder.measured_cell import MeasuredCell, finished_cells
from experiments.run_folder.relative_speed import relative_speed, usual_speed
from experiments.spec.setting import Setting
from experiments.stats.common_blocks import means_on_common_blocks
from experiments.stats.goodput import Interval, Trace, difference, of_cells
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class Judged:
    """One cell and its requests, judged under the SLO. `fair`: the same with bounds `speed` times as long,
    since the engine took `speed` times as long as over the run."""

    cell: MeasuredCell
    trace: Trace
    fair: Trace
    speed: float

    @property
    def arrivals(self) -> Hashable:
        """What it has in common with the cells of other settings."""
        return self.cell.arrivals


@dataclass(frozen=True, slots=True)
class Evidence:
    """One setting's valid cells by load, in block order: those that settings are chosen by, those that
    confirm a choice, and the search for its largest rate. A load may be missing, and blocks of a load."""

    setting: Setting
    by_load: Mapping[str, Sequence[Judged]]
    confirming: Mapping[str, Sequence[Judged]]
    searched: Sequence[Judged]

    @property
    def cells(self) -> list[MeasuredCell]:
        """Those that settings are chosen by."""
        return [one.cell for found in self.by_load.values() for one in found]

    @property
    def stretches(self) -> dict[str, int]:
        """How many of them there are at each load."""
        return {load: len(found) for load, found in self.by_load.items()}

    def published(self, load: str) -> Sequence[Judged]:
        """The cells whose numbers are told: those that took no part in the choice, where there are any."""
        return self.confirming.get(load) or self.by_load[load]

    def goodput(self, load: str, span_s: float) -> Interval:
        """Goodput at `load` over this setting's own blocks, requests per second."""
        return of_cells([one.trace for one in self.by_load[load]], span_s)

    def difference(self, other: Evidence, load: str, span_s: float) -> Interval | None:
        """Goodput of this setting less the other's on the arrivals that both met; None without any."""
        pairs = common(self.by_load.get(load, ()), other.by_load.get(load, ()))
        if not pairs:
            return None
        return difference([a.trace for a, _ in pairs], [b.trace for _, b in pairs], span_s)


def common(a: Sequence[Judged], b: Sequence[Judged]) -> list[tuple[Judged, Judged]]:
    """The cells of both that met the same arrivals, in the order of the first."""
    partners = {one.arrivals: one for one in b}
    return [(one, partners[one.arrivals]) for one in a if one.arrivals in partners]


def attainment(judged: Sequence[Judged]) -> float:
    """Share of the offered requests that met the SLO."""
    good = sum(int(one.trace.good.sum()) for one in judged)
    offered = sum(len(one.trace.good) for one in judged)
    return good / offered if offered else 0.0


@dataclass(frozen=True, slots=True)
class Gathered:
    """`contenders` were measured at every one of the `loads`, `others` were not. `means`: load → setting →
    goodput brought to the same arrivals, requests per second. `best_of`: load → the settings whose best
    goodput there all are held against."""

    loads: tuple[str, ...]
    contenders: tuple[Evidence, ...]
    others: tuple[Evidence, ...]
    means: Mapping[str, Mapping[Setting, float]]
    best_of: Mapping[str, Sequence[Setting]]
    doubts: tuple[str, ...]


def gather(run: Path, slo: SLO) -> Gathered:
    """All that takes part in the choice (`participants`), judged under `slo`.

    Raises:
        UserError: there is no cell that could be judged.
        UndecidedError: most cells were disturbed.
    """
    cells = finished_cells(run)
    found = participants(run, cells)
    usual = usual_speed([cell for cell in cells if not cell.invalid_codes])
    every = {
        setting: _evidence(setting, [_judged(cell, slo, usual) for cell in own])
        for setting, own in found.cells.items()
    }
    loads = sorted({load for one in every.values() for load in one.by_load})
    return Gathered(
        found.loads,
        tuple(every[setting] for setting in found.contenders),
        tuple(every[setting] for setting in found.others),
        {load: _means(list(every.values()), load) for load in loads},
        {load: found.best_of(load) for load in found.loads},
        found.doubts,
    )


def _judged(cell: MeasuredCell, slo: SLO, usual: float) -> Judged:
    measured = [record for record in cell.records() if record.phase == "measure"]
    speed = relative_speed(cell, usual)
    trace = cell.trace_of(measured, slo)
    fair = trace if speed == 1.0 else cell.trace_of(measured, slo.scaled(speed))
    return Judged(cell, trace, fair, speed)


def _evidence(setting: Setting, judged: Sequence[Judged]) -> Evidence:
    of = {purpose: [one for one in judged if one.cell.purpose is purpose] for purpose in CellPurpose}
    return Evidence(
        setting,
        _by_load(of[CellPurpose.MATRIX]),
        _by_load(of[CellPurpose.VALIDATION]),
        of[CellPurpose.CAPACITY],
    )


def _by_load(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    found: dict[str, list[Judged]] = {}
    for one in judged:
        found.setdefault(one.cell.load, []).append(one)
    return found


def _means(every: Sequence[Evidence], load: str) -> dict[Setting, float]:
    values = {
        e.setting: {one.arrivals: one.trace.goodput_per_s for one in e.by_load[load]}
        for e in every
        if load in e.by_load
    }
    return means_on_common_blocks(values)
