"""The verdict on pairs of blocks, looked at while they come in."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from experiments.stats import sequential
from experiments.stats.paired import Verdict
from experiments.stats.paired_changes import compare_changes

LOOKS = (3, 5, 8)


def _verdict(change: float, sd: float, rng: np.random.Generator) -> tuple[Verdict, int]:
    """Blocks one after the other until the first verdict."""
    a = np.full(8, 10.0)
    b = 10.0 * (1 + change + rng.normal(0.0, sd, 8))
    for k, look in enumerate(LOOKS):
        found = compare_changes(a[:look].tolist(), b[:look].tolist(), LOOKS[: k + 1], 8)
        if found.verdict is not Verdict.CANT_TELL:
            return found.verdict, look
    return Verdict.CANT_TELL, 8


def test_nothing_is_seldom_called_something_and_something_is_found() -> None:
    """Normal differences of 3 %: of nothing 5 % at most are called different (100 tries: 12 is the upper
    0.2 % of that law), of −5 % nine in ten."""
    rng = np.random.default_rng(4)
    of_nothing = [_verdict(0.0, 0.03, rng)[0] for _ in range(100)]
    assert of_nothing.count(Verdict.DIFFERENT) <= 12
    of_five = [_verdict(-0.05, 0.03, rng)[0] for _ in range(60)]
    assert of_five.count(Verdict.DIFFERENT) >= 0.9 * 60


def test_swapping_the_sides_changes_the_sign_alone() -> None:
    a, b = [10.0, 12.0, 9.0], [9.0, 11.5, 8.8]
    one, other = compare_changes(a, b, (3,), 3), compare_changes(b, a, (3,), 3)
    assert one.relative is not None
    assert other.relative is not None
    assert (1 + one.relative) * (1 + other.relative) == pytest.approx(1.0)
    assert one.p_value == pytest.approx(other.p_value)


def test_a_block_that_failed_does_not_hide_the_others() -> None:
    """B always loses about half and once everything: the logarithm of that ratio has no end, and its t
    interval would hold all there is."""
    a = [10.0] * 8
    b = [5.0, 4.5, 5.5, 0.0, 5.2, 4.8, 5.1, 4.9]
    assert compare_changes(a, b, (8,), 8).verdict is Verdict.DIFFERENT


def test_the_whole_error_is_spent_by_the_plan_and_a_tenth_beyond_it() -> None:
    """All looks together, by simulation of the walk they are taken at."""
    looks = (3, 5, 8, 12)
    walks = np.cumsum(np.random.default_rng(5).normal(size=(200_000, 12)), axis=1)
    crossed = np.zeros(len(walks), dtype=bool)
    for k, look in enumerate(looks):
        bound = scipy.stats.norm.isf(sequential.level_after(looks[: k + 1], 8) / 2)
        crossed |= np.abs(walks[:, look - 1]) > bound * np.sqrt(look)
        assert crossed.mean() == pytest.approx(sequential.spent_of_planned(look, 8), abs=0.0015)
    assert sequential.spent_of_planned(8, 8) == pytest.approx(0.9 * sequential.ALPHA)
    assert sequential.spent_of_planned(10_000, 8) < sequential.ALPHA


def test_too_few_blocks_and_impossible_values() -> None:
    assert compare_changes([1.0, 1.0], [2.0, 2.0], (), 8).verdict is Verdict.CANT_TELL
    with pytest.raises(ValueError, match="nothing but zeros"):
        compare_changes([0.0] * 3, [0.0] * 3, (3,), 3)
    with pytest.raises(ValueError, match="last look"):
        compare_changes([1.0] * 4, [1.0] * 4, (3,), 8)
