"""Stamps that were rounded: the requests that share one are spread over the time that it stands for."""

from __future__ import annotations

import numpy as np

from loadtests.planning.mix import Floats

_MINUTE_S = 60.0
_SURE_DISTINCT = 10
_FEW_DISTINCT = 3


def spread(stamps_s: Floats, unit_s: float, seed: int, *, whole_minutes: bool) -> tuple[Floats, list[str]]:
    """Stamps (n,) in seconds, nan for none, without the batches that rounding makes, and a note where it did.

    Where stamps are ticks, k requests that share one arrive at k uniform times inside it, as those of a
    Poisson process would, in the order of the file; a request alone on its tick stays. unit_s: what the
    stamps count, in seconds. whole_minutes: they are dates without seconds.
    """
    known = np.flatnonzero(np.isfinite(stamps_s))
    order = known[np.argsort(stamps_s[known], kind="stable")]
    distinct, place, count = np.unique(stamps_s[order], return_inverse=True, return_counts=True)
    tick_s = _tick_s(distinct, len(order), unit_s, whole_minutes) if len(distinct) < len(order) else 0.0
    if tick_s == 0:
        return stamps_s, []
    within = np.random.default_rng([seed, 8]).random(len(order))
    within = within[np.lexsort((within, place))]
    shared = count[place] > 1
    spread_s = stamps_s.copy()
    spread_s[order[shared]] += tick_s * within[shared]
    note = f"stamps are {tick_s:g} s ticks: {shared.sum()} arrivals that share one are spread inside it"
    return spread_s, [f"{note} (seed {seed})"]


def _tick_s(distinct: Floats, n: int, unit_s: float, whole_minutes: bool) -> float:
    """What the stamps were rounded to, in seconds; 0 where they were not.

    Ticks of a clock: shared by two requests and more on average, a whole number of the shortest gap apart,
    which is a second or longer. Where the stamps count seconds it takes more of them to tell a slower clock,
    since a few are multiples of something by chance.
    """
    gaps_s = np.diff(distinct)
    enough = _SURE_DISTINCT if unit_s >= 1 else _FEW_DISTINCT
    if len(distinct) >= enough and len(distinct) <= n / 2 and gaps_s.min() >= 1:
        multiples = gaps_s / gaps_s.min()
        if np.mean(np.abs(multiples - np.rint(multiples)) <= 0.05) >= 0.9:
            return float(gaps_s.min())
    if np.all(np.abs(distinct - np.rint(distinct)) < 1e-6):
        return _MINUTE_S if whole_minutes else 1.0
    return 0.0
