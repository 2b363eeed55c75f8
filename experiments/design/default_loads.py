"""The loads of a sweep whose user named none: one that should meet the objective, and one that misses it.

A load at which every setting meets the objective, or none does, tells settings apart badly. The probe's
staircase says about how many requests may run at once before the objective is lost, and what rate that is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from experiments.design.probe import Probe
from loadtests.slo import SLO

Floats = npt.NDArray[np.float64]

USUAL = (0.7, 1.2)
"""Multiples of the probe's capacity where the objective leaves the choice: below it, and above."""
_BELOW = 0.6
"""Of the rate that the staircase lets expect: arrivals come in groups, and lengths vary. (On 40 virtual
engines, by which it was chosen, the best setting then meets 35 of the loads, and 21 at 0.7 of capacity.)
"""
_LEAST = 0.05


def default_loads(slo: SLO, seen: Probe) -> tuple[str, str]:
    """A steady load that is met, if the staircase is right, and bursts above capacity, as one types them."""
    usual, above = USUAL
    below = min(usual, _BELOW * sustainable_per_s(slo, seen) / seen.capacity_per_s)
    # Whoever serves no more than the capacity meets at most this share of what is offered above it.
    above = max(above, 1.1 / min(own.attainment for own in slo.every))
    return f"sustained@{max(_LEAST, below):.2g}x", f"burst@{above:.2g}x"


def sustainable_per_s(slo: SLO, seen: Probe) -> float:
    """The rate of completions, per second, with as many requests in flight as the objective allows for: each
    step of the staircase slows every part of an answer by as much as the whole, which Little's law tells.
    Open arrivals vary by the root of their number, which is kept free."""
    counts, rates = _staircase(seen)
    allowed = allowed_in_flight(slo, seen)
    return float(np.interp(max(1.0, allowed - math.sqrt(allowed)), counts, rates))


def allowed_in_flight(slo: SLO, seen: Probe) -> float:
    """About how many requests may run at once before the objective is lost, 1 at least."""
    counts, rates = _staircase(seen)
    slower = np.maximum.accumulate(counts / rates / seen.e2e_s)
    idle = {"ttft_s": seen.ttft_s, "ttfv_s": seen.ttft_s, "tpot_s": seen.tpot_s, "e2e_s": seen.e2e_s}
    bounds = [item for own in slo.every for item in own.bounds.items()]
    room = [bound / seconds for name, bound in bounds if (seconds := idle[name])]
    return float(np.interp(min(room, default=math.inf), slower, counts))


def _staircase(seen: Probe) -> tuple[Floats, Floats]:
    """Requests in flight, one included, and completions per second."""
    counts = np.array([1.0, *(count for count, _ in seen.steps)])
    return counts, np.array([1.0 / seen.e2e_s, *(rate for _, rate in seen.steps)])


def moved(relative: float, attainments: Mapping[str, float], target: float, *, to_be_met: bool) -> float:
    """A default load (as a multiple of capacity) after a first look: `attainments` of each setting there.

    Where the load is to be met and no setting does, half of it; where it is to be missed and no setting does,
    half as much again; else as it is.
    """
    if not attainments:
        return relative
    if to_be_met:
        return relative if max(attainments.values()) >= target else max(_LEAST, relative / 2)
    return relative if min(attainments.values()) < target else relative * 1.5
