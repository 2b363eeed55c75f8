"""Two sides measured in pairs of blocks, looked at while blocks come in: the relative change and a verdict.

The unit is the pair: one arrival trace on both sides, shortly after one another. Its value is the difference
of the two over their mean, d = 2·(b − a)/(a + b): swapping the sides only changes its sign, and it is
bounded, so that a block in which nearly everything failed does not drown the others. A mean d stands for the
relative change d / (1 − d/2). The verdict may be asked for while blocks are added: each look spends its part
of the error (`sequential.level_after`; Lan and DeMets 1983), given the looks that were taken before it,
whichever those were, and the interval is the t interval at that level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy

from experiments.stats import sequential
from experiments.stats.paired import (
    DELTA,
    LEAST_BLOCKS,
    Comparison,
    Verdict,
    blocks_that_tell,
    verdict_of,
)


def compare_changes(
    a: Sequence[float],
    b: Sequence[float],
    looks: Sequence[int],
    planned: int,
    *,
    delta: float = DELTA,
    share: float = 1.0,
    step: float = 0.0,
    foretell: bool = True,
) -> Comparison:
    """Side b against side a, paired by position.

    Args:
        a, b: one value a block, none below zero, not both zero throughout.
        looks: numbers of blocks at which one looked, ascending; the last is this look, at len(a) blocks.
        planned: blocks at most, as it was meant when it began.
        delta: margin of equality, part of a.
        share: part of the error that this metric may spend.
        step: the least step of the metric as a part of it (one request more in the window); the spread is
            never taken below half of it, so that three equal counts do not make certainty.
        foretell: whether to work out how many further blocks would tell; without it there are 0.

    Raises:
        ValueError: the sides differ in length, a value is below zero, or the looks do not end here.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or not len(x):
        raise ValueError(f"paired by block: got {x.shape} and {y.shape} values")
    if (x < 0).any() or (y < 0).any() or not (x.any() or y.any()):
        raise ValueError("values below zero, or nothing but zeros")
    n, both = len(x), x + y
    change = np.divide(2 * (y - x), both, out=np.zeros(len(x)), where=both > 0)
    baseline, mean = float(x.mean()), float(change.mean())
    if n < LEAST_BLOCKS:
        relative = _relative(mean)
        why = f"{n} block{'s' * (n > 1)}; {LEAST_BLOCKS} are the least"
        return Comparison(
            Verdict.CANT_TELL, n, baseline, baseline * relative, None, None, relative, None, None, None,
            LEAST_BLOCKS - n, why,
        )  # fmt: skip
    if tuple(looks)[-1] != n:
        raise ValueError(f"the last look is at {tuple(looks)[-1]} blocks, and there are {n}")
    sd = max(float(change.std(ddof=1)), step / 2)
    alpha = sequential.level_after(tuple(looks), planned) * share
    half = float(scipy.stats.t.isf(alpha / 2, n - 1)) * sd / math.sqrt(n)
    relative, low, high = (_relative(value) for value in (mean, mean - half, mean + half))
    verdict = verdict_of(low, high, delta)
    unsure = foretell and verdict is Verdict.CANT_TELL
    further = blocks_that_tell(sd, n, share=share) - n if unsure else 0
    p_value = (
        float(2 * scipy.stats.t.sf(abs(mean) / sd * math.sqrt(n), n - 1)) if sd > 0 else float(mean == 0)
    )
    return Comparison(
        verdict, n, baseline, baseline * relative, baseline * low, baseline * high, relative, low, high,
        p_value, further, _why(verdict, delta),
    )  # fmt: skip


def _why(verdict: Verdict, delta: float) -> str:
    return {
        Verdict.EQUAL: f"the interval lies within ±{delta:.0%}",
        Verdict.DIFFERENT: "the interval does not hold zero",
        Verdict.CANT_TELL: f"the interval holds zero and leaves ±{delta:.0%}",
    }[verdict]


def _relative(d: float) -> float:
    """The relative change that a difference over the mean stands for; below −2, which no block has, it is a
    fall to nothing, and towards 2 it ends at a thousandfold."""
    bounded = min(max(d, -2.0), 1.996)
    return bounded / (1 - bounded / 2)
