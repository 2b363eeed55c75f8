"""Who leads, by how much, and how sure that is, for the criterion itself.

With goodput g(s, l) of setting s at load l and b(l) the best of any setting there,

    score(s) = min over l of g(s, l) / b(l),     regret of choosing c = 1 − score(c) / max over s of score(s).

**Why the stated probability holds for this criterion.** Bounds on single goodputs, put together, would have
to hold for every pair and load at once and be far too wide for a minimum of ratios to maxima. So the whole
matrix of goodputs is drawn jointly, as it may be given the data (`posterior`), and the criterion is worked
out in each draw: the share of draws in which some setting's score exceeds the leader's by more than the
indifference zone is the probability that the claim is wrong. It is a probability given the data, and so
does not depend on how often one has looked (Branke, Chick and Schmidt 2007, "Selecting a selection
procedure": stopping when the posterior probability of good selection is reached; Eckman and Henderson 2022
on what it guarantees: over the engines that people have, not for the worst one can think of). `SURE` leaves
room for what the draws cannot know.

A setting leaves the race when its score is surely not above the leader's: the logarithm of their ratio lies
`z` standard deviations below zero, with z the normal quantile for 5 % shared by all settings. A setting
that did not run at some load yet has the score of the loads it has run at, which is an upper bound.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from experiments.racing.judged_stretch import JudgedStretch
from experiments.racing.posterior import LoadPosterior
from experiments.spec.loads import Load
from experiments.spec.setting import Setting

ALPHA = 0.05
WITHIN = 0.03
"""The part of the goodput that does not matter: the indifference zone."""
SURE = 0.975
"""Share of the draws that a claim needs."""
LEAST_BLOCKS = 2
"""Stretches of the leader at every load before anything is claimed."""
DRAWS = 1000
HARDLY = 0.35
"""A score this far below the leader's after a single stretch is no luck of one trace."""

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RaceStanding:
    """After a look at all stretches; settings and loads by their place in the race.

    Attributes:
        goodput: estimates (settings, loads), requests per second; nan where nothing was measured.
        score: estimates (settings,): the least share of the best goodput over the loads measured.
        whole: (settings,) measured at every load.
        leader: place of the best whole setting that may win; None while there is none.
        ratio: (settings,) score over the leader's; low and high its 95 % interval.
        worse: (settings,) surely not better than the leader, or out.
        better: (settings,) probability that its score is above the leader's by more than the zone.
        good: probability that no setting's is.
        decides: (settings, loads) share of the draws in which the load decides the setting's score.
        best: (loads, settings) share of the draws in which the setting is the best at the load.
        stretches: usable ones (settings, loads).
    """

    goodput: Floats
    score: Floats
    whole: Bools
    leader: int | None
    ratio: Floats
    low: Floats
    high: Floats
    worse: Bools
    better: Floats
    good: float
    decides: Floats
    best: Floats
    stretches: npt.NDArray[np.int64]


def stand(
    settings: Sequence[Setting],
    loads: Sequence[Load],
    stretches: Sequence[JudgedStretch],
    seed: int = 0,
    out: Collection[int] = (),
) -> RaceStanding:
    """The standing, from the usable ones of `stretches`; `out`: places of settings that cannot win, whatever
    their score."""
    rng = np.random.default_rng(seed)
    tables = [LoadPosterior(settings, load, stretches) for load in loads]
    counts = np.stack([table.counts for table in tables], axis=1)
    goodput = np.stack([table.goodput() for table in tables], axis=1)
    drawn = np.stack([table.draws(DRAWS, rng) for table in tables], axis=2)
    whole: Bools = np.asarray((counts > 0).all(axis=1))
    score = _score(goodput[None])[0]
    scores, decides, best = _score(drawn), _decides(drawn), _best(drawn)
    may_lead = whole.copy()
    may_lead[list(out)] = False
    leader = int(np.argmax(np.where(may_lead, score, -1.0))) if may_lead.any() else None
    k = len(settings)
    if leader is None:
        unknown = np.full(k, np.nan)
        return RaceStanding(
            goodput, score, whole, None, unknown, unknown, unknown, np.zeros(k, bool), np.ones(k), 0.0,
            decides, best, counts,
        )  # fmt: skip
    ratios = np.maximum(scores, 1e-9) / np.maximum(scores[:, [leader]], 1e-9)
    logs = np.log(ratios)
    z = float(scipy.stats.norm.isf(ALPHA / k))
    ratio = score / max(score[leader], 1e-9)
    few = counts.max(axis=1) < LEAST_BLOCKS
    with np.errstate(
        invalid="ignore"
    ):  # who never ran at all has no score yet: nobody knows that it is worse
        below = logs.mean(axis=0) + z * logs.std(axis=0) < 0
        low, high = np.quantile(ratios, [0.025, 0.975], axis=0)
    worse = below & (~few | (ratio < 1 - HARDLY))
    worse[leader] = False
    worse[list(out)] = True
    beyond = ratios > 1 / (1 - WITHIN)
    beyond[:, list(out)] = False
    return RaceStanding(
        goodput, score, whole, leader, ratio, low, high, worse, beyond.mean(axis=0),
        float(1 - beyond.any(axis=1).mean()), decides, best, counts,
    )  # fmt: skip


def _shares(goodput: Floats) -> Floats:
    """Shares of the best at each load, (draws, settings, loads); nan where nothing was measured."""
    top = np.nanmax(np.where(np.isnan(goodput), 0.0, goodput), axis=1, keepdims=True)
    share = goodput / np.where(top > 0, top, 1.0)
    return np.where(np.isnan(goodput) | (top > 0), share, 1.0)


def _score(goodput: Floats) -> Floats:
    return np.asarray(np.min(np.nan_to_num(_shares(goodput), nan=np.inf), axis=2))


def _decides(goodput: Floats) -> Floats:
    shares = np.nan_to_num(_shares(goodput), nan=np.inf)
    least = np.argmin(shares, axis=2)
    return np.stack([(least == j).mean(axis=0) for j in range(goodput.shape[2])], axis=1)


def _best(goodput: Floats) -> Floats:
    most = np.argmax(np.nan_to_num(goodput, nan=-1.0), axis=1)
    return np.stack([(most == i).mean(axis=0) for i in range(goodput.shape[1])], axis=1)
