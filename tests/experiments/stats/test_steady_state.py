"""The steady-state check: planted transients are caught, honest queues are left alone."""

import numpy as np
import pytest

from experiments.stats.steady_state import judge, mser
from gateway.limits import Limits
from tests.experiments.stats.simulated_truth import Machine, Seen, poisson, serve

MACHINE = Machine()
WARM_UP_S = 30.0
PLANTS = ("decay", "beginning", "step", "drift")


def _cell(load: float, seed: int, window_s: float = 240.0) -> Seen:
    limits = Limits(max_active=8, queue_max=16, queue_timeout_s=1.0)
    rate = load * MACHINE.capacity_per_s(8)
    rng = np.random.default_rng([5, seed])
    return serve(poisson(rng, rate, WARM_UP_S + window_s, MACHINE), limits, MACHINE)


def _planted(plant: str, due_s: np.ndarray, window_s: float, sd: float) -> np.ndarray:
    """What is added to the latencies: in standard deviations of a single latency."""
    if plant == "decay":
        return np.asarray(2 * sd * np.exp(-due_s / (0.1 * window_s)))
    if plant == "beginning":
        return np.where(due_s < 0.15 * window_s, 1.5 * sd, 0.0)
    if plant == "step":
        return np.where(due_s > 0.5 * window_s, 0.5 * sd, 0.0)
    return np.asarray(sd * due_s / window_s) if plant == "drift" else np.zeros(len(due_s))


def _caught(plant: str, load: float, repetitions: int) -> float:
    found = 0
    for seed in range(repetitions):
        seen = _cell(load, seed)
        kept = (seen.due_s >= WARM_UP_S) & ~np.isnan(seen.e2e_s)
        due, values = seen.due_s[kept] - WARM_UP_S, seen.e2e_s[kept]
        values = values + _planted(plant, due, 240.0, float(values.std()))
        backlog = (seen.active + seen.queued)[int(WARM_UP_S) : int(WARM_UP_S) + 240]
        verdict = judge(values, due, backlog, stationary_load=True, bounded=True).verdict
        found += verdict == "not_steady"
    return found / repetitions


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_transient_is_caught(plant: str) -> None:
    """Short form: 25 windows behind a queue at 0.85 of capacity."""
    assert _caught(plant, 0.85, 25) >= 0.8


def test_an_honest_queue_is_left_alone() -> None:
    """40 windows without a transient; the excursions of the queue are not taken for one."""
    assert _caught("none", 0.95, 40) <= 0.10


@pytest.mark.prove
@pytest.mark.parametrize("load", [0.6, 0.85, 0.95, 1.1])
def test_transients_are_caught_and_honest_windows_are_not(load: float) -> None:
    """400 windows each: at least 90 % of every plant, at most 5 % false alarms within two standard errors."""
    shares = {plant: _caught(plant, load, 400) for plant in (*PLANTS, "none")}
    print(f"load {load}: flagged " + ", ".join(f"{plant} {share:.1%}" for plant, share in shares.items()))
    assert min(shares[plant] for plant in PLANTS) >= 0.90
    assert shares["none"] <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


def test_a_load_above_capacity_without_a_bound_cannot_be_steady() -> None:
    """Whatever is measured there depends on how long one measured."""
    trace = poisson(np.random.default_rng(2), 1.2 * MACHINE.capacity_per_s(8), 150.0, MACHINE)
    seen = serve(trace, Limits(max_active=8, queue_max=10_000, queue_timeout_s=10_000.0), MACHINE)
    backlog = (seen.active + seen.queued)[30:150]
    found = judge(seen.e2e_s, seen.due_s, backlog, stationary_load=True, bounded=False)
    assert found.verdict == "cannot_be"


def test_a_rate_that_changes_by_design_is_not_called_steady() -> None:
    """A burst has no steady state to look for."""
    found = judge(np.ones(100), np.arange(100.0), np.ones(100), stationary_load=False, bounded=True)
    assert found.verdict == "cannot_be"


def test_few_requests_cannot_tell() -> None:
    """Thirty requests show no change of level."""
    found = judge(np.ones(30), np.arange(30.0), np.ones(30), stationary_load=True, bounded=True)
    assert found.verdict == "cant_tell"


def test_mser_cuts_where_the_transient_ends() -> None:
    """A beginning three standard deviations up ends at 100; the cut is there, and a constant has none."""
    values = np.random.default_rng(0).normal(size=1000)
    values[:100] += 3.0
    assert mser(values) in range(90, 116)
    assert mser(np.ones(1000)) == 0
    rising = np.arange(1000.0)
    assert mser(rising) is None
