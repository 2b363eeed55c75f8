"""Two sources of one quantile."""

import numpy as np
import pytest

from experiments.stats.agreement import compare
from experiments.stats.bucket_quantile import BucketQuantile, bucket_quantile


def _histogram(values: np.ndarray, bounds: list[float]) -> BucketQuantile:
    cumulative = [(bound, float((values <= bound).sum())) for bound in [*bounds, float("inf")]]
    return bucket_quantile(cumulative, 0.95)


BOUNDS = [0.01 * 1.1**k for k in range(80)]


@pytest.mark.parametrize("seed", range(20))
def test_the_same_values_agree(seed: int) -> None:
    """A histogram of the very values can differ by no more than its bucket."""
    values = np.random.default_rng(seed).lognormal(-1, 0.7, 200)
    assert compare("ttft", 0.95, values, _histogram(values, BOUNDS)).agrees


def test_a_quarter_more_is_flagged() -> None:
    """The gateway's buckets are about 10 % wide: 25 % is beyond one."""
    values = np.random.default_rng(1).lognormal(-1, 0.7, 200)
    assert not compare("ttft", 0.95, values * 1.25, _histogram(values, BOUNDS)).agrees


def test_nothing_on_both_sides_agrees_and_nothing_on_one_does_not_raise() -> None:
    """A cell in which everything was rejected has no TTFT."""
    empty = bucket_quantile([], 0.95)
    assert compare("ttft", 0.95, np.array([]), empty).agrees


def test_requests_that_ended_with_the_scrape_may_be_on_either_side() -> None:
    """One slow request more moves the p95 of sixty by a rank; if it may be missing there, it is no fault."""
    values = np.concatenate([np.full(57, 0.1), [1.0, 1.5, 2.0]])
    there = _histogram(values[values != 1.0], BOUNDS)
    shifted = np.concatenate([values, [1.5]])
    assert not compare("ttft", 0.95, shifted, there).agrees
    assert compare("ttft", 0.95, shifted, there, doubtful=1).agrees
