"""How far a setting stands from a cliff: how much slower the engine may become before its answer changes.

Some settings lie where a few per cent of engine speed decide whether most requests are good. Each of a
setting's cells is replayed on engines up to `FARTHEST` slower (`replay`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.twin.replay import Replay
from loadtests.slo import SLO

KEPT = 0.92
"""Where a load misses the objective anyway: the part of its good requests that is to be kept."""
FARTHEST = 0.20
_SLOWER = (0.0, 0.02, 0.05, 0.08, 0.10, 0.15, FARTHEST)


@dataclass(frozen=True, slots=True)
class SpeedMargin:
    """One setting at one load, on engines slower than the one it was measured on; shares are 0 to 1."""

    attainment: float
    """as measured"""
    at_5_percent: float
    """attainment expected on an engine 5 % slower"""
    at_10_percent: float
    """on one 10 % slower"""
    margin: float
    """the engine may be slower by this part (0.08: 8 %) before the objective is missed or, at a load that
    misses it anyway, 8 % of the good requests are lost; at most 0.2"""
    objective: bool
    """whether the load meets the objective as measured"""

    def __str__(self) -> str:
        what = "the objective" if self.objective else f"{KEPT:.0%} of its goodput"
        if self.margin >= FARTHEST:
            return f"keeps {what} on an engine {FARTHEST:.0%} slower"
        if self.margin < 0.01:
            return f"stands on a cliff: does not keep {what} on an engine 1% slower"
        return f"keeps {what} on an engine up to {self.margin:.0%} slower"


def speed_margin(cells: Sequence[Replay], slo: SLO) -> SpeedMargin:
    """Of one setting's cells at one load (one at least, a trace each); of several load classes that of the
    one that gives way first, by its own objective."""
    if slo.classes:
        return smallest([_margin(cells, own, name) for name, own in slo.classes])
    return _margin(cells, slo)


def _margin(cells: Sequence[Replay], slo: SLO, load_class: str | None = None) -> SpeedMargin:
    shares = np.mean([_attainments(cell, slo, load_class) for cell in cells], axis=0)
    measured = float(shares[0])
    objective = measured >= slo.attainment
    wanted = slo.attainment if objective else KEPT * measured
    # Noise of a replay may let a slower engine seem better, which none is.
    shares = np.minimum.accumulate(shares)
    lost = np.flatnonzero(shares < wanted)
    margin = FARTHEST
    if len(lost):
        k = int(lost[0])
        part = (shares[k - 1] - wanted) / (shares[k - 1] - shares[k])
        margin = float(_SLOWER[k - 1] + part * (_SLOWER[k] - _SLOWER[k - 1]))
    return SpeedMargin(
        measured, float(shares[_SLOWER.index(0.05)]), float(shares[_SLOWER.index(0.10)]), margin, objective
    )


def smallest(margins: Sequence[SpeedMargin]) -> SpeedMargin:
    """The one that gives way first: what a setting's margin is over several loads (one at least)."""
    return min(margins, key=lambda margin: margin.margin)


def _attainments(cell: Replay, slo: SLO, load_class: str | None) -> list[float]:
    """Expected at each of the slowdowns: as measured, times what the replays lose between the two."""
    measured = cell.measured(slo, load_class)
    as_it_was = cell.at(1.0, slo, load_class).attainment
    if as_it_was <= 0:
        return [measured] * len(_SLOWER)
    slower = [cell.at(1 + part, slo, load_class).attainment for part in _SLOWER[1:]]
    return [measured, *(min(1.0, measured * share / as_it_was) for share in slower)]
