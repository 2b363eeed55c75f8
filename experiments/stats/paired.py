"""Two settings (or two runs) on common arrival traces: different, equal within a margin, or not to be told
apart.

The unit is the block: one trace, measured once on each side. Pairing takes out what the trace does to both; t
intervals over blocks hold everything else, also what differs between one run and the next.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import scipy

from experiments.stats import sequential

DELTA = 0.03
"""Relative differences within ± this do not matter."""
EFFECT = 0.05
"""The relative difference that the stated number of blocks will find …"""
POWER = 0.80
"""… with this probability."""
_SD_CONFIDENCE = 0.6
LEAST_BLOCKS = sequential.LOOKS[0]


class Verdict(StrEnum):
    """What a paired comparison says."""

    DIFFERENT = "different"
    """the interval does not hold zero"""
    EQUAL = "equal"
    """the interval lies within the margin"""
    CANT_TELL = "cant_tell"
    """neither"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`b` against the baseline `a`.

    verdict: "different", "equal" (within the margin) or "cant_tell". baseline: mean of a. difference: mean of
    b − a, low and high its interval at the level of this look, all in the metric's unit; relative,
    relative_low and relative_high are parts of the baseline. Bounds are None below three blocks.
    further_blocks: how many more would find a difference of 5 % with 80 % power; 0 when the verdict is made.
    """

    verdict: Verdict
    blocks: int
    baseline: float
    difference: float
    low: float | None
    high: float | None
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    p_value: float | None
    further_blocks: int
    why: str


def compare(
    a: Sequence[float],
    b: Sequence[float],
    *,
    delta: float = DELTA,
    resolution: float = 0.0,
    share: float = 1.0,
) -> Comparison:
    """Compare b with a, paired by position: one value a block.

    The interval is the t interval of the mean difference at `sequential.level(blocks)`: it may be looked at
    after every block. Inside ± delta of the baseline it says "equal" (two one-sided tests; Schuirmann 1987),
    off zero "different", otherwise "cant_tell".

    Args:
        delta: margin, part of the baseline.
        resolution: the least step of the metric (one request more in the window); the standard deviation is
            never taken below half of it, so that three equal counts do not make certainty.
        share: the part of the error that this comparison may spend (1/m for m comparisons: Bonferroni).
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or not len(x):
        raise ValueError(f"paired by block: got {x.shape} and {y.shape} values")
    n, change = len(x), y - x
    baseline, mean = float(x.mean()), float(change.mean())
    scale = max(abs(baseline), abs(float(y.mean())))
    if scale == 0:
        return Comparison(
            Verdict.EQUAL, n, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0, "both sides are zero throughout"
        )
    if n < LEAST_BLOCKS:
        why = f"{n} common trace{'s' * (n > 1)}; {LEAST_BLOCKS} are the least"
        relative = mean / scale
        further = LEAST_BLOCKS - n
        return Comparison(
            Verdict.CANT_TELL, n, baseline, mean, None, None, relative, None, None, None, further, why
        )
    sd = max(float(change.std(ddof=1)), resolution / 2)
    alpha = sequential.level(n) * share
    half = float(scipy.stats.t.isf(alpha / 2, n - 1)) * sd / math.sqrt(n)
    low, high = mean - half, mean + half
    p_value = (
        float(2 * scipy.stats.t.sf(abs(mean) / sd * math.sqrt(n), n - 1)) if sd > 0 else float(mean == 0)
    )
    margin = delta * scale
    verdict = verdict_of(low, high, margin)
    why = {
        Verdict.EQUAL: f"the interval lies within ±{delta:.0%}",
        Verdict.DIFFERENT: "the interval does not hold zero",
        Verdict.CANT_TELL: f"the interval holds zero and leaves ±{delta:.0%}",
    }[verdict]
    further = blocks_that_tell(sd / scale, n, share=share) - n if verdict is Verdict.CANT_TELL else 0
    return Comparison(
        verdict, n, baseline, mean, low, high, mean / scale, low / scale, high / scale, p_value, further, why
    )


def verdict_of(low: float, high: float, margin: float) -> Verdict:
    """equal when the interval lies within ± margin, different when it does not hold zero, else cant_tell."""
    if -margin <= low and high <= margin:
        return Verdict.EQUAL
    return Verdict.DIFFERENT if low > 0 or high < 0 else Verdict.CANT_TELL


def blocks_that_tell(
    relative_sd: float, seen: int, effect: float = EFFECT, power: float = POWER, share: float = 1.0
) -> int:
    """Blocks in all (more than `seen`) at which a true difference of `effect` is found with `power`.

    n from the noncentral t law at the level of the look at n. `relative_sd` was itself estimated from `seen`
    blocks, and too small an estimate would promise too much: its upper 60 % confidence limit is used
    (Browne 1995, "On the use of a pilot sample for sample size determination").
    """
    freedom = seen - 1
    sd = relative_sd * math.sqrt(freedom / float(scipy.stats.chi2.ppf(1 - _SD_CONFIDENCE, freedom)))
    n = sequential.next_look(seen)
    while n < 1000 and _power(effect / max(sd, 1e-12), n, share) < power:
        n = sequential.next_look(n)
    return n


def _power(standardised: float, n: int, share: float) -> float:
    """Probability that the two-sided t test of look `n` sees a mean of `standardised` standard deviations."""
    alpha = sequential.level(min(n, sequential.LOOKS[-1])) * share
    bound = float(scipy.stats.t.isf(alpha / 2, n - 1))
    shift = standardised * math.sqrt(n)
    if shift > 30:
        return 1.0
    return float(scipy.stats.nct.sf(bound, n - 1, shift))
