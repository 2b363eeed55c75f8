"""What a run's cells say of each setting, and on which arrivals two settings can be compared."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.decide import of_race, recommendation_doubts
from experiments.decide.shared_loads import shared_loads
from experiments.design.cell_purpose import CellPurpose
from experiments.errors import UndecidedError, UserError
from experiments.run_folder.doubt import DoubtCode
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
        """What it has in common with the cells of other settings: the block, and the plan itself."""
        return self.cell.block, self.cell.plan_hash


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
    goodput brought to the same arrivals, requests per second."""

    loads: tuple[str, ...]
    contenders: tuple[Evidence, ...]
    others: tuple[Evidence, ...]
    means: Mapping[str, Mapping[Setting, float]]
    doubts: tuple[str, ...]


def gather(run: Path, slo: SLO) -> Gathered:
    """The valid cells; where they make no whole setting, also those whose only fault is a slow generator,
    under a doubt.

    Latency counts from the due time, so a late generator understates goodput: such a choice is a sketch,
    not an error.

    Raises:
        UserError: there is no cell that could be judged.
        UndecidedError: most cells were disturbed.
    """
    every = [cell for cell in finished_cells(run) if not cell.is_sentinel]
    cells = [cell for cell in every if cell.of_matrix]
    _refuse_the_disturbed(cells)
    valid = [cell for cell in every if not cell.invalid_codes]
    left_out = len(cells) - sum(cell.of_matrix for cell in valid)
    why = f"marked invalid and left out ({_codes(cells)})"
    stood_for = of_race.stood_for(run, valid)
    said = [f"{left_out} of {len(cells)} cells were {why}"] if left_out else []
    found = _gathered(valid, slo, [*said, *recommendation_doubts.of_disturbed(cells)], stood_for)
    if found.contenders:
        return found
    late = [cell for cell in every if cell.invalid_codes <= {DoubtCode.CLIENT_SATURATED}]
    late_said = (
        "PROVISIONAL: the load generator was late in too many cells (a busy machine?), so goodput is "
        "understated; repeat it on a quiet one"
    )
    found = _gathered(late, slo, [late_said], {})
    if not found.contenders:
        why = f"{len(cells)} finished{f'; invalid: {_codes(cells)}' if cells else ''}"
        raise UserError(f"{run} has no valid, finished cell to recommend from ({why})")
    return found


def _refuse_the_disturbed(cells: Sequence[MeasuredCell]) -> None:
    """Where less than half of the cells was left alone, what is left is chosen by chance."""
    disturbed = [cell for cell in cells if DoubtCode.DISTURBED in cell.invalid_codes]
    if 2 * len(disturbed) > len(cells):
        raise UndecidedError(
            f"cannot decide: {len(disturbed)} of {len(cells)} cells were disturbed (something else slowed "
            "the engine down); find what runs beside it, or give it cores or a card of its own, and run again"
        )


def _codes(cells: Sequence[MeasuredCell]) -> str:
    """What made cells invalid."""
    return ", ".join(sorted({code for cell in cells for code in cell.invalid_codes}))


def _gathered(
    cells: Sequence[MeasuredCell],
    slo: SLO,
    doubts: list[str],
    stood_for: Mapping[Setting, Sequence[MeasuredCell]],
) -> Gathered:
    judged: dict[Setting, list[Judged]] = {}
    usual = usual_speed(cells)
    one_by_one = {cell.id: _judged(cell, slo, usual) for cell in cells}
    for cell in sorted(cells, key=lambda c: c.block):
        judged.setdefault(cell.setting, []).append(one_by_one[cell.id])
    for setting, found in stood_for.items():
        judged.setdefault(setting, []).extend(one_by_one[cell.id] for cell in found)
    every = [_evidence(setting, found) for setting, found in judged.items()]
    loads = dict.fromkeys(cell.load for cell in sorted(cells, key=lambda c: c.block) if cell.of_matrix)
    means = {load: _means(every, load) for load in sorted(loads)}
    counted = {
        load: {e.setting: len(e.by_load[load]) for e in every if e.setting in of}
        for load, of in means.items()
    }
    at, complete, said = shared_loads(counted)
    return Gathered(
        tuple(sorted(at)),
        tuple(e for e in every if e.setting in complete),
        tuple(e for e in every if e.setting not in complete and e.by_load),
        means,
        (*doubts, *said),
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
