"""The noisy search: it finds the rate that the simulated system sustains, and knows when to stop."""

from collections.abc import Callable

import numpy as np
import pytest

from experiments.stats.goodput import Trace
from experiments.stats.knee import Capacity, capacity
from experiments.stats.rate_search import REACH, next_rate
from experiments.stats.stretch import Stretch, stretch_of
from gateway.limits import Limits, QueueMode
from tests.experiments.stats.simulated_truth import Machine, poisson, serve

MACHINE = Machine(alpha_s=0.02, beta_s=0.002, tokens=25.0)
LIMITS = Limits(max_active=8, queue_max=32, queue_timeout_s=1.0)
TARGET = 0.95


def _stretch(rate_per_s: float, seed: int, window_s: float) -> Stretch:
    trace = poisson(np.random.default_rng(seed), rate_per_s, window_s, MACHINE, shape=4.0)
    good = serve(trace, LIMITS, MACHINE).good(0.8)
    return stretch_of(rate_per_s, Trace(trace.due_s, good, window_s))


def _refusing(rate_per_s: float, seed: int, window_s: float) -> Stretch:
    """Of slots that do not know of each other, without a queue."""
    machine = Machine(alpha_s=0.01, tokens=50.0)
    trace = poisson(np.random.default_rng(seed), rate_per_s, window_s, machine)
    good = serve(trace, Limits(max_active=8, queue_mode=QueueMode.REJECT), machine).good(np.inf)
    return stretch_of(rate_per_s, Trace(trace.due_s, good, window_s))


def _searched(seed: int, measured: Callable[[float, int, float], Stretch] = _stretch) -> tuple[Capacity, int]:
    """Search with 60 s windows; how many of them it took."""
    known: list[Stretch] = []
    for step in range(40):
        rate = next_rate(known, TARGET, 4.0, 0.07)
        if rate is None:
            return capacity(known, TARGET), step
        known.append(measured(rate, seed * 1000 + step, 60.0))
    raise AssertionError("the search did not end")


def _erlang_loss(slots: int, work: float) -> float:
    """Erlang B by its recursion; `work` in erlangs."""
    loss = 1.0
    for k in range(1, slots + 1):
        loss = work * loss / (k + work * loss)
    return loss


def test_the_search_ends_near_the_truth() -> None:
    """6 searches of 20 windows at most: the estimate is within 10 % of the true rate in 5, the interval
    holds it in 5."""
    rates = np.arange(5.0, 10.0, 0.25)
    truth = max(float(rate) for rate in rates if _stretch(float(rate), 5, 600.0).attainment >= TARGET)
    near = held = 0
    for seed in range(6):
        found, steps = _searched(seed)
        assert found.value_per_s is not None
        assert steps <= 20
        near += abs(found.value_per_s / truth - 1) <= 0.10
        held += (found.low_per_s or 0) <= truth * 1.03 and (found.high_per_s or np.inf) >= truth * 0.97
    assert near >= 5
    assert held >= 5


def test_slots_without_a_queue_are_found_where_erlang_has_them() -> None:
    """Attainment falls slowly there. The rate at which 5 % are lost (an answer takes half a second, and half
    a step until it begins), within the intervals of 8 searches in 6 at least, 3 % aside."""
    rates = np.arange(5.0, 12.0, 0.01)
    truth = max(float(rate) for rate in rates if _erlang_loss(8, float(rate) * 0.505) <= 1 - TARGET)
    found = [_searched(seed, _refusing)[0] for seed in range(20, 28)]
    held = [(f.low_per_s or 0) <= truth * 1.03 and (f.high_per_s or np.inf) >= truth * 0.97 for f in found]
    assert sum(held) >= 6
    assert np.median([f.value_per_s or 0.0 for f in found]) == pytest.approx(truth, rel=0.05)


def test_it_grows_until_something_is_missed_and_shrinks_until_something_is_met() -> None:
    """A start far off is no trap."""
    assert next_rate([], TARGET, 4.0, 0.1) == 4.0
    assert next_rate([Stretch(4.0, 240, 240, 60.0)], TARGET, 4.0, 0.1) == pytest.approx(6.0, rel=0.35)
    assert next_rate([Stretch(4.0, 4, 240, 60.0)], TARGET, 4.0, 0.1) == pytest.approx(2.0, rel=0.35)


@pytest.mark.parametrize("good", [0.0, 1.0])
def test_it_gives_up_where_no_rate_changes_anything(good: float) -> None:
    """An objective that even a sixteenth of the beginning misses, or that sixteen times it meets."""
    known: list[Stretch] = []
    while (rate := next_rate(known, TARGET, 8.0, 0.05)) is not None:
        offered = max(1, round(rate * 60))
        known.append(Stretch(rate, round(offered * good), offered, 60.0))
        assert len(known) < 25
    reached = known[-1].rate_per_s / 8.0
    assert max(reached, 1 / reached) == pytest.approx(REACH, rel=0.6)


def test_the_next_rate_lies_where_the_crossing_may_be() -> None:
    """Met at 4/s, missed at 12/s: the next one lies between them, at the steep part."""
    known = [Stretch(4.0, 240, 240, 60.0), Stretch(12.0, 300, 720, 60.0)]
    rate = next_rate(known, TARGET, 4.0, 0.05)
    assert rate is not None
    assert 4.0 < rate < 12.0


def test_what_others_measured_shortens_it() -> None:
    """Cells of other rates around the crossing already are an answer."""
    known = [_stretch(rate, 70 + k, 300.0) for k, rate in enumerate((4.0, 5.0, 6.0, 7.0, 8.0, 9.0))]
    assert next_rate(known, TARGET, 4.0, 0.10) is None
