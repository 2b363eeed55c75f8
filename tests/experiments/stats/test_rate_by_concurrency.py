"""What a system could do with every slot busy, from what it did with fewer."""

import numpy as np
import pytest

from experiments.stats.rate_by_concurrency import RateByConcurrency, rate_by_concurrency
from gateway.limits import Limits, QueueMode
from tests.experiments.stats.simulated_truth import Machine, poisson, serve

NO_ERROR = ((0.0, 0.0), (0.0, 0.0))


@pytest.mark.parametrize("beta_s", [0.0, 0.002])
def test_the_full_rate_is_found_from_a_house_that_is_seldom_full(beta_s: float) -> None:
    """Reject mode at 0.8 of capacity: within three of its own standard errors in 10 runs, and these are
    small."""
    machine = Machine(0.02, beta_s)
    truth = machine.capacity_per_s(16)
    for seed in range(10):
        trace = poisson(np.random.default_rng([9, seed]), 0.8 * truth, 430.0, machine, shape=4.0)
        seen = serve(trace, Limits(16, QueueMode.REJECT), machine)
        served = ~seen.shed
        curve = rate_by_concurrency(seen.granted_s[served], seen.end_s[served], 16, (30.0, 430.0))
        assert curve is not None
        error = curve.relative_error(16)
        assert error < 0.06
        assert abs(curve.rate_per_s(16) / truth - 1) < 3 * error


def test_independent_slots_lose_what_erlang_says() -> None:
    """B(8, 6.8) = 0.1698 and B(2, 1) = 0.2: the recursion of the method note, section 7."""
    servers = RateByConcurrency(1.0, 0.0, NO_ERROR, 1000)
    blocked = 1.0
    for k in range(1, 9):
        blocked = 6.8 * blocked / (k + 6.8 * blocked)
    assert servers.loss_ratio(6.8, 8) == pytest.approx(blocked)
    assert servers.loss_ratio(1.0, 2) == pytest.approx(0.2)


def test_few_ends_make_no_curve_and_one_state_makes_a_flat_one() -> None:
    """Fewer than fifty requests say nothing; one slot has one rate."""
    starts = np.arange(100.0)
    assert rate_by_concurrency(starts[:49], starts[:49] + 0.5, 1, (0.0, 100.0)) is None
    found = rate_by_concurrency(starts, starts + 0.5, 1, (0.0, 100.0))
    assert found is not None
    assert found.rate_per_s(1) == pytest.approx(2.0)
    assert found.relative_error(1) == pytest.approx(0.1)
