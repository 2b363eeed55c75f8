"""How long a cell warms up."""

import math
from dataclasses import replace

import numpy as np
import pytest

from experiments.design.probe import ASSUMED
from experiments.design.settling import LEAST_S, excess_life, warm_up_s
from gateway.limits import Limits, QueueMode

# 5 s alone, 1 a second with 8 in flight, 1.5 with 16 and no more.
SEEN = replace(ASSUMED, e2e_s=5.0, capacity_per_s=1.5, steps=((4, 0.6), (8, 1.0), (16, 1.5)))
ONE_LENGTH = [24.0] * 50
WIDE = Limits(max_active=64, queue_max=0)


def _level_after(t_s: float, lives_s: np.ndarray) -> float:
    """Of the mean number in flight without any limit, from an empty begin: the part that is there after t."""
    return float(np.minimum(lives_s, t_s).mean() / lives_s.mean())


@pytest.mark.parametrize("sigma", [0.0, 0.5, 1.0])
def test_the_level_is_reached_where_the_theory_says(sigma: float) -> None:
    """On drawn lives of one mean, long tails included, 0.95 of the level and neither more nor less."""
    lives_s = np.exp(sigma * np.random.default_rng(3).standard_normal(20_000))
    t_s = excess_life(lives_s.tolist(), 0.95) * lives_s.mean()
    assert _level_after(t_s, lives_s) == pytest.approx(0.95, abs=1e-3)


def test_lives_of_one_length_need_one_and_others_more() -> None:
    """No request outlives one life where all are equal; a chat has answers of many."""
    assert excess_life(ONE_LENGTH, 0.95) == pytest.approx(0.95)
    assert excess_life([10.0] * 9 + [100.0], 0.95) > 2
    assert excess_life([], 0.95) == 1.0


def test_below_capacity_it_is_the_life_at_that_rate() -> None:
    """By Little's law from the staircase: 8 in flight at 1 a second are 8 s each; few are as one alone."""
    assert warm_up_s(SEEN, WIDE, 1.0, ONE_LENGTH) == pytest.approx(1.25 * 0.95 * 8.0)
    assert warm_up_s(SEEN, WIDE, 0.1, ONE_LENGTH) == pytest.approx(1.25 * 0.95 * 5.0)
    assert warm_up_s(replace(ASSUMED, e2e_s=0.1), WIDE, 0.1, ONE_LENGTH) == LEAST_S


def test_above_it_slots_and_queue_must_fill() -> None:
    """Without a queue one life in full slots; with one, what may wait, at the rate of what is too much."""
    slots = Limits(max_active=8, queue_mode=QueueMode.REJECT)
    queue = Limits(max_active=8, queue_max=2, queue_timeout_s=60.0)
    patient = Limits(max_active=8, queue_max=1000, queue_timeout_s=3.0)
    full_s = 0.95 * 8.0
    assert warm_up_s(SEEN, slots, 1.5, ONE_LENGTH) == pytest.approx(1.25 * full_s)
    assert warm_up_s(SEEN, queue, 1.5, ONE_LENGTH) == pytest.approx(1.25 * (full_s + 2 / 0.5))
    assert warm_up_s(SEEN, patient, 1.5, ONE_LENGTH) == pytest.approx(1.25 * (full_s + 3 / 0.5))
    assert math.isinf(warm_up_s(SEEN, patient, 1.0, ONE_LENGTH))
