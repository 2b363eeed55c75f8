"""Recorded traffic thinner or denser: see docs/decisions/017-replay.md for why in these ways.

Up to a quarter thinner or denser, the same requests come in less or more time. Below that, some of those who
asked are left out; above it, others of the same kind ask beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from loadtests.planning.workloads import Counts
from loadtests.traffic.recorded import Recorded

WARPED = (0.8, 1.25)
"""Factors that are reached by time alone."""
_DAY_S = 86_400.0


class Method(StrEnum):
    """How another rate is reached."""

    AS_RECORDED = "as recorded"
    WARP = "warp"
    THIN = "thin"
    OVERLAY = "overlay"


@dataclass(frozen=True, slots=True)
class Layer:
    """One of the recordings that are played over each other: which rows of it (n,), and how many seconds of
    it lie before its begin."""

    rows: NDArray[np.bool_]
    shift_s: float


@dataclass(frozen=True, slots=True)
class Density:
    """How a recording is played `factor` times as dense. pace: by how much its clock runs faster."""

    factor: float
    method: Method
    pace: float
    layers: tuple[Layer, ...]

    @property
    def note(self) -> str:
        """For the plan."""
        match self.method:
            case Method.AS_RECORDED:
                return "at the times at which it was recorded"
            case Method.WARP:
                return f"{self.factor:.4g} times as dense: all gaps multiplied by {1 / self.factor:.4g}"
            case Method.THIN:
                return f"{self.factor:.4g} times as dense: of those who asked, some are left out"
            case Method.OVERLAY:
                count = len(self.layers)
                return f"{self.factor:.4g} times as dense: {count} stretches of it over each other"


def density(recorded: Recorded, factor: float, played_s: float, seed: int) -> Density:
    """How to play `recorded` at `factor` times its rate, > 0. played_s: how much of it one run plays; where
    there is so much, no two layers play the same. seed: ≥ 0, of who is left out.
    """
    everybody = np.ones(len(recorded), dtype=bool)
    if factor == 1:
        return Density(1.0, Method.AS_RECORDED, 1.0, (Layer(everybody, 0.0),))
    if WARPED[0] <= factor <= WARPED[1]:
        return Density(factor, Method.WARP, factor, (Layer(everybody, 0.0),))
    if factor < 1:
        return Density(factor, Method.THIN, 1.0, (Layer(_some(recorded, factor, seed), 0.0),))
    whole = int(factor)
    shifts_s = _shifts_s(recorded.span_s, whole + (factor > whole), played_s)
    layers = [Layer(everybody, shift_s) for shift_s in shifts_s[:whole]]
    if factor > whole:
        layers.append(Layer(_some(recorded, factor - whole, seed), shifts_s[-1]))
    return Density(factor, Method.OVERLAY, 1.0, tuple(layers))


def _shifts_s(span_s: float, count: int, played_s: float) -> list[float]:
    """By days where the recording has enough of them, so that mornings lie over mornings; else as far from
    each other as can be."""
    if span_s >= count * _DAY_S and played_s <= _DAY_S:
        days = int(span_s / _DAY_S)
        return [_DAY_S * (k * days // count) for k in range(count)]
    return [span_s * k / count for k in range(count)]


def _some(recorded: Recorded, share: float, seed: int) -> NDArray[np.bool_]:
    """Rows (n,) of whole conversations, and of requests outside of one, drawn at random until of each lane
    this share of the requests is there."""
    alone = recorded.conversation < 0
    unit = np.where(
        alone, np.arange(len(recorded)) + int(recorded.conversation.max()) + 1, recorded.conversation
    )
    rng, kept = np.random.default_rng([seed, 10]), np.zeros(len(recorded), dtype=bool)
    for lane in np.unique(recorded.lane).tolist():
        mine = np.flatnonzero(recorded.lane == lane)
        kept[mine] = _until_enough(unit[mine], share, rng)
    return kept


def _until_enough(unit: Counts, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which (n,) are of the units drawn; their number is as near to the share as whole units allow."""
    _, of, sizes = np.unique(unit, return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    reached = np.cumsum(sizes[order])
    wanted = share * len(unit)
    taken = int(np.searchsorted(reached, wanted))
    before = reached[taken - 1] if taken else 0
    # The unit in which the share is reached is taken where that comes nearer to it.
    taken += taken < len(order) and reached[taken] - wanted < wanted - before
    chosen = np.zeros(len(sizes), dtype=bool)
    chosen[order[:taken]] = True
    return np.asarray(chosen[of])
