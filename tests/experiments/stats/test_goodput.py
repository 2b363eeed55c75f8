"""Goodput and differences of goodputs: intervals that hold what they say."""

import numpy as np

from experiments.stats.goodput import Trace, difference, of_cells


def _trace(seed: int, share: float, drop: float = 0.0) -> Trace:
    """One arrival trace; `share` of it good. The same seed is the same trace, `drop` more of it lost."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(600)
    due = np.sort(rng.uniform(0, 60, n))
    good = rng.uniform(size=n) < share
    return Trace(due, good & (np.random.default_rng(seed + 10_000).uniform(size=n) >= drop), 60.0)


def test_the_interval_covers_the_truth() -> None:
    """95 % of 300 intervals, give or take two standard errors and what blocks cost in small samples."""
    hits = 0
    for seed in range(300):
        found = of_cells([_trace(seed, 0.8)], span_s=2.0, seed=seed)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 8.0 <= found.high
    assert 0.90 <= hits / 300 <= 0.98


def test_a_common_trace_separates_what_two_traces_would_not() -> None:
    """Pairing takes the trace's own noise out: 8 % fewer good requests are seen in one minute."""
    found = difference([_trace(1, 0.8)], [_trace(1, 0.8, drop=0.08)], span_s=2.0)
    assert found.above_zero
    assert found.value < 1.0


def test_equal_cells_are_not_told_apart() -> None:
    """The same outcome twice: a difference of zero, give or take what two runs may differ by."""
    found = difference([_trace(1, 0.8)], [_trace(1, 0.8)], span_s=2.0)
    assert found.value == 0.0
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high < 0.5
    assert not found.above_zero


def test_too_short_a_window_has_no_interval() -> None:
    """Fewer than five spans say nothing about their spread."""
    short = Trace(np.array([0.5, 1.0]), np.array([True, True]), 2.0)
    found = of_cells([short], span_s=1.0)
    assert (found.value, found.low) == (1.0, None)


def test_three_traces_give_a_t_interval() -> None:
    """From three traces on, what changes between traces is in it."""
    found = of_cells([_trace(seed, 0.8) for seed in range(3)], span_s=2.0)
    assert found.low is not None
    assert found.low < found.value
