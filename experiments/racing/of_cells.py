"""A run's measured cells as stretches of a race."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from experiments.design.cells import Cell
from experiments.racing.judged_stretch import JudgedStretch
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.run_folder.relative_speed import relative_speed, usual_speed
from experiments.spec.loads import Load
from experiments.twin.footprint import Footprint
from experiments.twin.replay import Replay, Served, Through, served
from experiments.twin.through_lanes import lane_names
from gateway.limits import Limits, SlotCost
from loadtests.outcome import Outcome
from loadtests.planning.load_class import parse_mix
from loadtests.record import RequestRecord
from loadtests.slo import SLO

SLOWER = 1.05
"""How many times slower the engine is on which a setting should still do well."""
_STEP = 1.02
_REFUSED = frozenset({Outcome.REJECTED_FULL, Outcome.REJECTED_MODE})


class StretchReader:
    """Reads cells as stretches, the records of each once."""

    def __init__(self, loads: Sequence[Load], slo: SLO) -> None:
        self._by_name = {str(load): load for load in loads}
        self._slo = slo
        self._known: dict[tuple[str, float], _Reading] = {}

    def read(self, cells: Sequence[MeasuredCell]) -> list[JudgedStretch]:
        """The cells of the matrix at these loads, each judged at the speed that the engine had on the whole:
        where it was 2 % slower than usual, times may be 2 % longer. A cell in doubt is not usable."""
        mine = [cell for cell in cells if cell.of_matrix and cell.load in self._by_name]
        usual = usual_speed(mine)
        return [self._stretch(cell, usual) for cell in mine]

    def _stretch(self, cell: MeasuredCell, usual: float) -> JudgedStretch:
        key = (cell.id, cell.summary.window.started_unix_s)
        if key not in self._known:
            self._known[key] = _reading(cell, self._slo)
        reading = self._known[key]
        fair = self._slo.scaled(relative_speed(cell, usual))
        slower, faster = (
            int(cell.trace_of(reading.measured, fair.scaled(factor)).good.sum())
            for factor in (1 / _STEP, _STEP)
        )
        return JudgedStretch(
            cell=Cell(cell.setting, self._by_name[cell.load], cell.block),
            trace=cell.trace_of(reading.measured, fair),
            elasticity=(faster - slower) / max(1, faster + slower) / (_STEP - 1),
            kept_under=reading.kept_under,
            footprint=reading.footprint,
            usable=not cell.invalid_codes,
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    """What of a cell does not change with the other cells of the run."""

    measured: Sequence[RequestRecord]
    footprint: Footprint | None
    kept_under: Callable[[Limits], float]


def _reading(cell: MeasuredCell, slo: SLO) -> _Reading:
    records = cell.records()
    limits = cell.setting.limits
    measured = [record for record in records if record.phase == "measure"]
    kept_under = cache(partial(_kept, served(records), slo, through_of(cell)))
    return _Reading(measured, footprint(records, limits), kept_under)


def through_of(cell: MeasuredCell) -> Through | None:
    """The lanes that a cell went through; None where it had none of its own."""
    lanes = cell.setting.table
    if lanes is None or not lanes.shared:
        return None
    return Through(lanes, lane_names(parse_mix(cell.summary.workload.mix or ""), lanes))


def _kept(cell: Served, slo: SLO, through: Through | None, limits: Limits) -> float:
    """Of the goodput, the part that is left on an engine `SLOWER`, had the run's arrivals met these limits; 1
    where nothing is known, as of slots in tokens."""
    if limits.slot_cost is SlotCost.TOKENS:
        return 1.0
    replay = Replay(cell, limits, through=through)
    now = replay.at(1.0, slo).attainment
    return replay.at(SLOWER, slo).attainment / now if now > 0 else 1.0


def footprint(records: Sequence[RequestRecord], limits: Limits) -> Footprint | None:
    """How much of each limit the run used, from its records: no less than the gateway saw, since a client
    sends a little earlier and hears of the end a little later. None where the gateway did not say how long
    each waited, or clients tried again."""
    if any(record.tried for record in records):
        return None
    if any(record.queue_s is None for record in records if record.outcome is Outcome.OK):
        return None
    held, waited = [], []
    for record in records:
        if record.sent_s is None:
            continue
        end_s = record.finished_s if record.finished_s is not None else float("inf")
        begin_s = record.sent_s + (record.queue_s or 0.0)
        if record.outcome.held_a_slot:
            held.append((begin_s, end_s))
        if (record.queue_s or 0.0) > 0:
            waited.append((record.sent_s, begin_s))
        elif record.outcome is Outcome.QUEUE_TIMEOUT:
            waited.append((record.sent_s, end_s))
    outcomes = {record.outcome for record in records}
    return Footprint(
        limits,
        _peak(held),
        _peak(waited),
        refused=bool(outcomes & _REFUSED),
        expired=Outcome.QUEUE_TIMEOUT in outcomes,
        longest_wait_s=max((end_s - begin_s for begin_s, end_s in waited), default=0.0),
    )


def _peak(spans: Iterable[tuple[float, float]]) -> int:
    """The most that overlap; of an end and a begin at the same moment both count."""
    events = sorted((at, order, step) for a, b in spans for at, order, step in ((a, 0, 1), (b, 1, -1)))
    return int(np.max(np.cumsum([step for _, _, step in events]), initial=0))
