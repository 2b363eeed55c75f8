"""Quantile intervals on the effective sample size: they cover what they say, also for correlated requests."""

import numpy as np
import pytest

from experiments.stats.effective_size import of_exceedances
from experiments.stats.quantile_interval import quantile_interval
from gateway.limits import Limits
from loadtests.recording.quantiles import interval_ranks
from tests.experiments.stats.simulated_truth import Machine, poisson, serve

MACHINE = Machine()
WARM_UP_S = 30.0
# Load, slots, queue, timeout, window; a second is a service time. Queues with the bounds that the tool sets.
CELLS = [
    (0.60, 8, 16, 5.0, 240.0),
    (0.85, 8, 16, 1.0, 240.0),
    (0.85, 4, 8, 1.0, 240.0),
    (0.95, 8, 16, 1.0, 240.0),
    (1.10, 8, 16, 1.0, 240.0),
    (1.30, 8, 8, 0.5, 120.0),
]


def _hits(
    cell: tuple[float, int, int, float, float], repetitions: int, truth_s: float = 60_000.0
) -> dict[str, int]:
    """How often the p95 intervals of E2E and TTFT (or their absence: counted apart) held the truth."""
    load, slots, queue, timeout_s, window_s = cell
    limits = Limits(max_active=slots, queue_max=queue, queue_timeout_s=timeout_s)
    rate = load * MACHINE.capacity_per_s(slots)
    whole = serve(poisson(np.random.default_rng(7), rate, truth_s, MACHINE), limits, MACHINE)
    counts = {"hit": 0, "miss": 0, "none": 0, "iid_hit": 0, "iid_miss": 0}
    for seed in range(repetitions):
        rng = np.random.default_rng([11, seed])
        seen = serve(poisson(rng, rate, WARM_UP_S + window_s, MACHINE), limits, MACHINE)
        for name in ("e2e_s", "ttft_s"):
            truth = np.nanquantile(getattr(whole, name), 0.95)
            values = getattr(seen, name)
            kept = (seen.due_s >= WARM_UP_S) & ~np.isnan(values)
            values = values[kept]
            found = quantile_interval(values, seen.due_s[kept], 0.95)
            if found.low is None or found.high is None:
                counts["none"] += 1
            else:
                counts["hit" if found.low <= truth <= found.high else "miss"] += 1
            low, high = interval_ranks(len(values), 0.95)
            ranked = np.sort(values)
            counts["iid_hit" if ranked[low] <= truth <= ranked[high] else "iid_miss"] += 1
    return counts


def test_p95_intervals_cover_the_truth_behind_a_queue() -> None:
    """Short form of the proof: the simulated gateway at 0.95 of capacity; 40 windows, 80 intervals."""
    counts = _hits(CELLS[3], 40, 8_000.0)
    given = counts["hit"] + counts["miss"]
    assert given >= 65
    assert counts["hit"] / given >= 0.90
    assert counts["iid_hit"] / (counts["iid_hit"] + counts["iid_miss"]) < 0.85  # why all this is needed


@pytest.mark.prove
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_p95_intervals_cover_92_to_98_percent(cell: tuple[float, int, int, float, float]) -> None:
    """Of the intervals given, E2E and TTFT together; within two standard errors of the band."""
    counts = _hits(cell, 500)
    given = counts["hit"] + counts["miss"]
    coverage = counts["hit"] / given
    error = 2 * np.sqrt(coverage * (1 - coverage) / given)
    iid = counts["iid_hit"] / (counts["iid_hit"] + counts["iid_miss"])
    print(
        f"{cell}: p95 covered {coverage:.1%} of {given} given ({counts['none']} refused); as iid: {iid:.1%}"
    )
    assert 0.92 - error <= coverage <= 0.98 + error


@pytest.mark.parametrize(("q", "least"), [(0.5, 6), (0.95, 59), (0.99, 299)])
def test_below_the_least_n_there_is_no_number(q: float, least: int) -> None:
    """Never a number that no sample of that size can carry."""
    values = np.random.default_rng(0).lognormal(size=least)
    times = np.arange(float(least))
    few = quantile_interval(values[1:], times[1:], q)
    assert (few.value, few.low, few.why) == (None, None, f"n too small: {least - 1} of {least}")
    assert quantile_interval(values, times, q).value is not None


def test_correlated_requests_get_a_value_but_no_interval() -> None:
    """One slow minute of a thousand requests is one event, not fifty."""
    values = np.ones(1000)
    values[600:660] = np.linspace(5, 9, 60)
    found = quantile_interval(
        values + np.random.default_rng(0).normal(0, 0.01, 1000), np.arange(1000.0), 0.95
    )
    assert found.value is not None
    assert found.low is None
    assert found.why is not None
    assert "correlated" in found.why


def test_independent_samples_keep_the_classical_interval() -> None:
    """Without correlation nothing is lost: n_eff = n in most samples, and the ranks are the binomial's."""
    whole = 0
    for seed in range(100):
        values = np.random.default_rng(seed).exponential(size=500)
        size = of_exceedances(values, np.arange(500.0), 0.95)
        whole += size.n_eff > 350
    assert whole >= 75
    flat = quantile_interval(
        np.arange(500.0)[np.random.default_rng(3).permutation(500)], np.arange(500.0), 0.5
    )
    if flat.n_eff == 500:
        assert (flat.low, flat.high) == tuple(float(r) for r in interval_ranks(500, 0.5))


@pytest.mark.parametrize("phi", [0.5, 0.8])
def test_the_effective_size_of_a_known_process(phi: float) -> None:
    """An autoregression's median exceedances have correlation (2/π)·asin(phi^k): a known correlation time."""
    lags = np.arange(1, 400)
    truth = 1 + 2 * float(np.sum(2 / np.pi * np.arcsin(phi**lags)))
    found = []
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(size=4000)
        series = np.zeros(4000)
        for i in range(1, 4000):
            series[i] = phi * series[i - 1] + noise[i]
        found.append(of_exceedances(series, np.arange(4000.0), 0.5).inflation)
    assert 0.9 * truth <= np.median(found) <= 1.35 * truth


def test_the_simulated_truth_is_the_queue_of_the_textbook() -> None:
    """M/M/8/24 at 0.95: blocked 2.871 %, mean wait of the admitted 0.6977 service times (method note §7)."""
    fine = Machine(alpha_s=0.005, tokens=200.0)
    trace = poisson(np.random.default_rng(1), 0.95 * 8, 10_000.0, fine)
    seen = serve(trace, Limits(max_active=8, queue_max=16, queue_timeout_s=1000.0), fine)
    assert abs(seen.shed.mean() - 0.02871) < 0.006
    assert abs(float(np.nanmean(seen.granted_s - seen.due_s)) - 0.6977) < 0.07
