"""How long a system that begins empty takes until it has forgotten that.

Where all find room, the mean number of requests in flight t seconds after an empty begin is the rate times
∫₀ᵗ P(life > u) du (M/G/∞: Eick, Massey and Whitt 1993, "The physics of the Mt/G/∞ queue"): it is at 95 % of
its level once 95 % of that integral is reached, which for lives of one length is at 0.95 of a life, and
later where lengths differ. Where more is offered than the slots serve, the slots fill within about as long,
and then the queue, by what is too much each second. How long a life is comes from the probe's staircase by
Little's law.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.design.probe import Probe
from gateway.limits import Limits

_LEVEL = 0.95
_ROOM = 1.25
"""For what a probe of some seconds does not know."""
LEAST_S = 0.5


def warm_up_s(seen: Probe, limits: Limits, rate_per_s: float, lengths: Sequence[float]) -> float:
    """Seconds of warm-up that a cell needs.

    Args:
        seen: of the engine under this workload.
        limits: in force.
        rate_per_s: of arrivals, in the warm-up.
        lengths: tokens of the planned answers, by which lives differ.
    """
    full_per_s = seen.rate_with(limits.max_active)
    spread = excess_life(lengths, _LEVEL)
    if rate_per_s < full_per_s:
        return max(LEAST_S, _ROOM * spread * seen.life_at_s(rate_per_s))
    filled_s = spread * seen.e2e_with_s(limits.max_active)
    waiting = min(float(limits.room), full_per_s * limits.queue_timeout_s)
    if waiting:
        filled_s += waiting / (rate_per_s - full_per_s) if rate_per_s > full_per_s else np.inf
    return max(LEAST_S, float(_ROOM * filled_s))


def excess_life(lengths: Sequence[float], level: float) -> float:
    """The x, in mean lengths, at which the mean of min(length, x) is `level` of the mean length: the quantile
    of what is left of a length met at random."""
    ordered = np.sort(np.asarray(lengths, dtype=float))
    mean = float(ordered.mean()) if len(ordered) else 0.0
    if mean <= 0:
        return 1.0
    # The mean of min(length, x) at each length: those below it whole, the others cut.
    whole = np.concatenate([[0.0], np.cumsum(ordered)])[:-1]
    reached = (whole + ordered * np.arange(len(ordered), 0, -1)) / len(ordered)
    x = np.interp(level * mean, np.concatenate([[0.0], reached]), np.concatenate([[0.0], ordered]))
    return float(x) / mean
