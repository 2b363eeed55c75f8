"""The noisy search: it finds the rate that the simulated system sustains, and knows when to stop."""

import numpy as np

from experiments.stats.effective_size import of_indicator
from experiments.stats.knee import LoadPoint, capacity
from experiments.stats.rate_search import next_rate
from gateway.limits import Limits
from tests.experiments.stats.simulated_truth import Machine, poisson, serve

MACHINE = Machine(alpha_s=0.02, beta_s=0.002, tokens=25.0)
LIMITS = Limits(max_active=8, queue_max=32, queue_timeout_s=1.0)
TARGET = 0.95


def _counts(rate_per_s: float, seed: int, window_s: float) -> tuple[int, int, float]:
    trace = poisson(np.random.default_rng(seed), rate_per_s, window_s, MACHINE, shape=4.0)
    good = serve(trace, LIMITS, MACHINE).good(0.8)
    return int(good.sum()), len(good), of_indicator(good, trace.due_s).n_eff


def _searched(seed: int) -> tuple[list[LoadPoint], int]:
    """Search with 60 s windows; how many of them it took."""
    found: dict[float, list[tuple[int, int, float]]] = {}
    for step in range(40):
        points = [
            LoadPoint(rate, tuple(g for g, _, _ in of), tuple(n for _, n, _ in of), sum(e for _, _, e in of))
            for rate, of in found.items()
        ]
        rate = next_rate(points, TARGET, 4.0, 0.1)
        if rate is None:
            return points, step
        found.setdefault(rate, []).append(_counts(rate, seed * 1000 + step, 60.0))
    raise AssertionError("the search did not end")


def test_the_search_ends_near_the_truth() -> None:
    """6 searches of 40 windows at most: the estimate is within 10 % of the true rate in 5, the sure bounds
    hold it in 5."""
    rates = np.arange(5.0, 10.0, 0.25)
    counts = np.array([_counts(float(rate), 5, 600.0) for rate in rates])
    truth = float(rates[np.flatnonzero(counts[:, 0] / counts[:, 1] >= TARGET)[-1]])
    near = held = 0
    for seed in range(6):
        points, _ = _searched(seed)
        found = capacity(points, TARGET)
        assert found.value_per_s is not None
        near += abs(found.value_per_s / truth - 1) <= 0.10
        held += (found.low_per_s or 0) <= truth * 1.03 and (found.high_per_s or np.inf) >= truth * 0.97
    assert near >= 5
    assert held >= 5


def test_it_grows_until_something_is_missed_and_shrinks_until_something_is_met() -> None:
    """A start far off is no trap."""
    assert next_rate([], TARGET, 4.0, 0.1) == 4.0
    assert next_rate([LoadPoint(4.0, (400,), (400,))], TARGET, 4.0, 0.1) == 5.6
    assert next_rate([LoadPoint(4.0, (4,), (400,))], TARGET, 4.0, 0.1) == 2.86


def test_an_undecided_rate_is_measured_again_but_not_for_ever() -> None:
    """Three traces that cannot decide are enough."""
    once = LoadPoint(8.0, (95,), (100,))
    assert next_rate([once, LoadPoint(4.0, (200,), (200,))], TARGET, 4.0, 0.1) == 8.0
    thrice = LoadPoint(8.0, (95, 95, 95), (100, 100, 100))
    assert next_rate([thrice, LoadPoint(4.0, (200,), (200,))], TARGET, 4.0, 0.1) == 11.2
