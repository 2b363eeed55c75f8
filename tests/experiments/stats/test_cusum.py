"""The test for a moved level: how seldom it is wrong, how soon it is right, and that both ends are seen."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.stats.cusum import Cusum, CusumDesign, Moved, long_run_sd

SHIFT = 0.1
TOLERATED = 0.02
BETWEEN = 200


def _first_alarm(rng: np.random.Generator, mean: float, sds: tuple[float, ...], most: int) -> int | None:
    design, sums = CusumDesign.of(SHIFT, TOLERATED, BETWEEN), Cusum()
    for k in range(most):
        sd = sds[k % len(sds)]
        sums = sums.after(float(rng.normal(mean, sd)), sd, design)
        if sums.moved is not Moved.NO:
            return k + 1
    return None


@pytest.mark.parametrize("sds", [(0.05,), (0.02, 0.12)])
def test_false_alarms_are_as_rare_as_asked_whatever_the_spread(sds: tuple[float, ...]) -> None:
    """Also with the whole of what is tolerated: each side has one in 200 values at most, so both have one in
    100: in a hundred runs of 50 values there are 50 · 100 / 100 at most, and Lorden's bound is generous."""
    rng = np.random.default_rng(1)
    alarms = sum(_first_alarm(rng, TOLERATED, sds, 50) is not None for _ in range(100))
    assert alarms <= 50


def test_the_shift_is_found_about_as_soon_as_foretold() -> None:
    """Within a factor of 1.5; without a shift the same code finds nothing in this time."""
    rng = np.random.default_rng(2)
    foretold = CusumDesign.of(SHIFT, TOLERATED, BETWEEN).values_to_find(0.06)
    found = [_first_alarm(rng, SHIFT, (0.06,), 500) for _ in range(200)]
    took = [one for one in found if one is not None]
    assert len(took) == 200
    assert foretold / 1.5 < np.mean(took) < foretold * 1.5


def test_an_alarm_tells_direction_and_size_and_ends() -> None:
    design, sums = CusumDesign.of(SHIFT, TOLERATED, BETWEEN), Cusum()
    for _ in range(30):
        sums = sums.after(-0.12, 0.05, design)
    assert sums.moved is Moved.DOWN
    assert sums.size == pytest.approx(-0.12)
    for _ in range(10):
        sums = sums.after(0.0, 0.05, design)
    assert sums.moved is Moved.NO
    assert sums.size == 0.0


def test_one_odd_value_is_no_change() -> None:
    """A probe behind a long prompt took ten times as long."""
    sums = Cusum().after(2.3, 0.05, CusumDesign.of(SHIFT, TOLERATED, 50_000))
    assert sums.moved is Moved.NO


def test_the_spread_of_dependent_values_is_that_of_their_mean() -> None:
    """AR(1) with 0.7: its long-run standard deviation is 2.4 times its own; Bartlett's window finds most."""
    rng = np.random.default_rng(3)
    values = [0.0]
    for step in rng.normal(0.0, 1.0, 2000):
        values.append(0.7 * values[-1] + float(step))
    own = float(np.std(values))
    assert 1.8 * own < long_run_sd(np.array(values)) < 2.8 * own
    assert long_run_sd(rng.normal(0.0, 1.0, 2000)) == pytest.approx(1.0, rel=0.15)
