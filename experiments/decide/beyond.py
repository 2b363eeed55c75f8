"""What the chosen setting does where it was not meant to be: on a slower engine, and above its capacity."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.decide.evidence import Evidence, Judged
from experiments.racing.of_cells import through_of
from experiments.stats.knee import Capacity
from experiments.stats.overload import SURELY_ABOVE, Overload, overload
from experiments.twin.cliff import SpeedMargin, speed_margin
from experiments.twin.replay import Replay, served
from gateway.limits import SlotCost
from loadtests.slo import SLO

MOST_REPLAYED = 3000
"""Requests of the cells that are replayed, over all loads: about half a second of work."""
_OFF = 0.03
"""Attainment that a replay may be off by where the slowdown is none; beyond it the records lack what it
needs."""


def margin_of(told: Sequence[Judged], slo: SLO, most: int) -> SpeedMargin | None:
    """How much slower the engine may become at a load, from about `most` requests of the cells whose numbers
    are told; None where their records do not say when each request had its slot, or slots are in tokens,
    which no record has."""
    if any(one.cell.setting.limits.slot_cost is SlotCost.TOKENS for one in told):
        return None
    replays: list[Replay] = []
    good = offered = 0
    for one in told:
        records = one.cell.records()
        if replays and offered + len(records) > most:
            break
        replays.append(Replay(served(records), one.cell.setting.limits, through=through_of(one.cell)))
        good += int(one.trace.good.sum())
        offered += len(one.trace.good)
    recorded = sum(replay.measured(slo) for replay in replays) / len(replays)
    known = good and abs(recorded - good / offered) <= _OFF
    return speed_margin(replays, slo) if known else None


def above_capacity(
    chosen: Evidence, loads: Sequence[str], known: Capacity | None, slo: SLO
) -> Overload | None:
    """At the highest of the loads, from the cells whose numbers are told; None where it is not surely above
    the capacity, or that is not known."""
    if known is None or known.value_per_s is None:
        return None
    told = max((chosen.published(load) for load in loads), key=lambda of: of[0].cell.rate_per_s)
    records = [record for one in told for record in one.cell.records() if record.phase == "measure"]
    seconds = sum(one.trace.duration_s for one in told)
    found = overload(records, slo, seconds, known.value_per_s)
    return found if found is not None and found.load_ratio >= SURELY_ABOVE else None
