"""Capacity under the objective: found with bounds that hold the truth, or honestly outside of the range."""

import numpy as np

from experiments.stats.knee import LoadPoint, capacity


def _points(seed: int, rates: list[float], blocks: int = 3, spread: float = 0.02) -> list[LoadPoint]:
    """Attainment falls linearly from 1 at 8/s to 0 at 12/s: 95 % is met up to 8.2/s."""
    rng = np.random.default_rng(seed)
    made = []
    for rate in rates:
        share = float(np.clip((12 - rate) / 4, 0, 1))
        good = [rng.binomial(300, np.clip(share * (1 + spread * rng.normal()), 0, 1)) for _ in range(blocks)]
        made.append(LoadPoint(rate, tuple(good), (300,) * blocks))
    return made


def test_the_bounds_hold_the_truth() -> None:
    """In 100 measurements of five loads the capacity of 8.2/s lies between the bounds in 95 at least."""
    held = 0
    for seed in range(100):
        found = capacity(_points(seed, [6.0, 7.0, 8.0, 9.0, 10.0]), 0.95)
        held += (found.low_per_s or 0.0) <= 8.2 <= (found.high_per_s or np.inf)
    assert held >= 95


def test_never_reached_is_said() -> None:
    """A range that ends below the capacity has no number for it."""
    found = capacity(_points(0, [2.0, 4.0, 6.0]), 0.95)
    assert (found.verdict, found.value_per_s, found.low_per_s) == ("not_reached", None, 6.0)
    assert "not reached in this range" in found.why


def test_a_range_above_capacity_is_said() -> None:
    """And so is one that begins beyond it."""
    found = capacity(_points(0, [10.0, 11.0]), 0.95)
    assert (found.verdict, found.value_per_s, found.high_per_s) == ("below_range", None, 10.0)


def test_an_unsure_load_between_is_left_open() -> None:
    """Few requests: the bounds are the loads that are sure, not the nearest."""
    points = [LoadPoint(4.0, (200,), (200,)), LoadPoint(8.0, (95,), (100,)), LoadPoint(12.0, (20,), (100,))]
    found = capacity(points, 0.95)
    assert (found.low_per_s, found.high_per_s) == (4.0, 12.0)
    assert found.value_per_s is not None
    assert 4.0 < found.value_per_s < 12.0
