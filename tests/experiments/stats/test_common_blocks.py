"""Means over different blocks: brought to the same arrivals, or not compared at all."""

import numpy as np
import pytest

from experiments.stats.common_blocks import means_on_common_blocks


def test_the_same_blocks_give_the_plain_means() -> None:
    """To the last digit, in any order of the blocks."""
    values = {"a": {0: 0.1, 1: 0.2, 2: 0.3}, "b": {2: 0.7, 0: 0.5, 1: 0.6}}
    assert means_on_common_blocks(values) == {
        name: float(np.mean(list(of.values()))) for name, of in values.items()
    }


def test_a_setting_that_met_the_easy_block_only_gains_nothing_by_it() -> None:
    """Block 0 gives everybody 5 more; the plain means would put the worse setting first."""
    found = means_on_common_blocks({"good": {0: 15.0, 1: 10.0, 2: 10.0}, "bad": {0: 14.0}})
    assert found["good"] == pytest.approx(35 / 3)
    assert found["good"] - found["bad"] == pytest.approx(1.0)


def test_settings_without_a_common_block_are_compared_through_a_third() -> None:
    """Each differs from the third by a known step."""
    third = {0: 10.0, 1: 12.0, 2: 14.0}
    found = means_on_common_blocks({"third": third, "a": {0: 11.0}, "b": {2: 12.0}})
    assert found["a"] - found["third"] == pytest.approx(1.0)
    assert found["b"] - found["third"] == pytest.approx(-2.0)


def test_a_setting_that_nothing_links_to_the_others_is_left_out() -> None:
    """There is no trace by which it could be compared."""
    found = means_on_common_blocks({"a": {0: 1.0, 1: 2.0}, "b": {1: 2.0}, "alone": {7: 9.0}})
    assert set(found) == {"a", "b"}


def test_the_levels_are_found_again_from_a_design_with_holes() -> None:
    """Levels and blocks without noise: exact, whatever is missing."""
    rng = np.random.default_rng(1)
    levels, blocks = rng.uniform(5, 15, 8), rng.normal(0, 3, 10)
    kept = {s: {0, *rng.choice(10, size=rng.integers(1, 9), replace=False).tolist()} for s in range(8)}
    found = means_on_common_blocks({s: {b: levels[s] + blocks[b] for b in of} for s, of in kept.items()})
    differences = [found[s] - found[0] for s in range(8)]
    assert differences == pytest.approx((levels - levels[0]).tolist())
