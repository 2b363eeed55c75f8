"""Paired comparisons with several looks: honest about equal settings, able to tell different ones apart."""

import math
from collections import Counter
from statistics import NormalDist

import numpy as np
import pytest

from experiments.stats import sequential
from experiments.stats.paired import Verdict, blocks_that_tell, compare
from gateway.limits import Limits
from tests.experiments.stats.simulated_truth import Arrivals, Floats, Machine, poisson, serve

MACHINE = Machine(alpha_s=0.02, beta_s=0.002, tokens=25.0)
LIMITS = Limits(max_active=8, queue_max=16, queue_timeout_s=0.5)
WINDOW_S = 45.0
RATE_PER_S = 1.05 * MACHINE.capacity_per_s(8)
LOOKS = sequential.LOOKS[:4]
_RUNS = 4


def _goodput_per_s(trace: Arrivals, own: np.random.Generator, run_sd: float, lost: float) -> float:
    """Goodput of one run of the trace. `lost`: this share of the good requests is not."""
    good = serve(trace, LIMITS, MACHINE, float(own.lognormal(0.0, run_sd))).good(0.6, 0.05)
    return float((good & (own.uniform(size=len(good)) >= lost)).sum()) / WINDOW_S


def _pool(traces: int, run_sd: float, lost: float = 0.0) -> Floats:
    """Goodputs of four runs of each trace, (traces, 4): comparisons are drawn from it, for a simulation costs
    more than a comparison."""
    found = np.empty((traces, _RUNS))
    for k in range(traces):
        trace = poisson(np.random.default_rng([3, k]), RATE_PER_S, WINDOW_S, MACHINE, shape=4.0)
        for run in range(_RUNS):
            own = np.random.default_rng([3, k, run, int(lost * 1000)])
            found[k, run] = _goodput_per_s(trace, own, run_sd, lost)
    return found


def _blocks(rng: np.random.Generator, a: Floats, b: Floats, count: int) -> tuple[list[float], list[float]]:
    """So many traces at random, and of each another run on either side."""
    traces = rng.choice(len(a), count, replace=False)
    first = rng.integers(0, _RUNS, count)
    second = (first + rng.integers(1, _RUNS, count)) % _RUNS
    return a[traces, first].tolist(), b[traces, second].tolist()


def _verdict(a: list[float], b: list[float], looks: tuple[int, ...]) -> str:
    """What the tool says in the end when it looks after each of `looks` blocks and stops at a verdict."""
    for look in looks:
        verdict = compare(a[:look], b[:look], resolution=1 / WINDOW_S).verdict
        if verdict != "cant_tell":
            return verdict
    return "cant_tell"


def _said_of_equals(pool: Floats, repetitions: int) -> Counter[str]:
    rng = np.random.default_rng(5)
    return Counter(_verdict(*_blocks(rng, pool, pool, LOOKS[-1]), LOOKS) for _ in range(repetitions))


def test_equal_settings_are_seldom_called_different() -> None:
    """Short form of the proof: 300 A/A comparisons of the twin with itself, four looks; 5 % and two standard
    errors."""
    found = _said_of_equals(_pool(60, 0.03), 300)
    assert found["different"] / 300 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)
    assert found["different"] + found["equal"] + found["cant_tell"] == 300


@pytest.mark.prove
@pytest.mark.parametrize("run_sd", [0.01, 0.03, 0.08])
def test_equal_settings_on_simulated_truth(run_sd: float) -> None:
    """2,000 A/A comparisons on the twin, looks at 3, 5, 8 and 12 blocks, from 500 traces run four times."""
    found = _said_of_equals(_pool(500, run_sd), 2000)
    share = found["different"] / 2000
    print(f"A/A, run-to-run sd {run_sd:.0%}: called different in {share:.2%} of 2000 ({dict(found)})")
    assert share <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2000)


def _told(a: Floats, b: Floats, repetitions: int) -> tuple[float, Floats]:
    """How often the difference is told with the blocks that the tool states after three; those numbers."""
    rng, told, stated = np.random.default_rng(6), 0, []
    most = max(look for look in sequential.LOOKS if look <= len(a))
    for _ in range(repetitions):
        left, right = _blocks(rng, a, b, most)
        found = compare(left[:3], right[:3], resolution=1 / WINDOW_S)
        whole = min(found.blocks + found.further_blocks, most)
        stated.append(whole)
        looks = tuple(look for look in sequential.LOOKS if look <= whole)
        told += _verdict(left, right, looks) == "different"
    return told / repetitions, np.array(stated, dtype=float)


def test_the_stated_number_of_blocks_finds_five_percent_in_short() -> None:
    """Short form of the proof: 200 comparisons of settings that differ by 5 % of goodput."""
    told, _ = _told(_pool(40, 0.01), _pool(40, 0.01, lost=0.05), 200)
    assert told >= 0.80


@pytest.mark.prove
@pytest.mark.parametrize("run_sd", [0.005, 0.01, 0.02])
def test_the_stated_number_of_blocks_finds_five_percent(run_sd: float) -> None:
    """1,000 pairs that truly differ by 5 % of goodput: after three blocks the tool states how many would
    tell; with those it does in 80 % at least."""
    told, stated = _told(_pool(300, run_sd), _pool(300, run_sd, lost=0.05), 1000)
    print(
        f"5 % difference, run-to-run sd {run_sd:.1%}: told in {told:.1%}; blocks stated: median "
        f"{np.median(stated):.0f}, 90 % up to {np.quantile(stated, 0.9):.0f}"
    )
    assert told >= 0.80


def test_a_clear_difference_and_a_clear_equality_are_said() -> None:
    """Three blocks suffice where the noise is small."""
    a = [10.0, 12.0, 11.0]
    assert compare(a, [8.0, 9.9, 8.95]).verdict == "different"
    assert compare(a, [10.01, 12.0, 11.01]).verdict == "equal"


def test_noise_is_called_noise_with_what_would_tell() -> None:
    """And the number of further blocks grows with it."""
    some = compare([10.0, 12.0, 11.0], [10.2, 11.5, 11.2])
    more = compare([10.0, 12.0, 11.0], [10.9, 11.0, 11.9])
    assert some.verdict == more.verdict == "cant_tell"
    assert 0 < some.further_blocks < more.further_blocks


def test_three_equal_counts_are_no_certainty() -> None:
    """A spread of zero is the coarseness of counting: half a request is assumed."""
    found = compare([1.0, 1.0, 1.0], [1.1, 1.1, 1.1], resolution=0.1)
    assert found.verdict == "cant_tell"
    assert compare([0.0] * 3, [0.0] * 3).verdict == "equal"


def test_two_blocks_tell_nothing() -> None:
    """Two differences have no spread worth the name."""
    found = compare([10.0, 10.0], [5.0, 5.0])
    assert (found.verdict, found.low, found.further_blocks) == ("cant_tell", None, 1)


def test_more_noise_needs_more_blocks() -> None:
    """And one block more than seen at least."""
    needs = [blocks_that_tell(sd, 5) for sd in (0.001, 0.01, 0.02, 0.04)]
    assert needs == sorted(needs)
    assert needs[0] > 5


def test_the_looks_spend_less_than_the_error_together() -> None:
    """A random walk crosses the bounds of all nine looks in less than 5 %."""
    rng = np.random.default_rng(0)
    walks = np.cumsum(rng.normal(size=(20_000, sequential.LOOKS[-1])), axis=1)
    crossed = np.zeros(20_000, dtype=bool)
    for look in sequential.LOOKS:
        bound = np.sqrt(look) * NormalDist().inv_cdf(1 - sequential.level(look) / 2)
        crossed |= np.abs(walks[:, look - 1]) > bound
    assert 0.044 <= crossed.mean() <= 0.05
    assert sequential.spent(10**6) < sequential.ALPHA


@pytest.mark.parametrize("cells", [(12, 3, 3), (2, 2, 2, 2, 1, 1, 1, 1), (12, 1, 1, 1, 1, 1, 1, 1)])
def test_blocks_with_fewer_cells_do_not_make_more_false_alarms(cells: tuple[int, ...]) -> None:
    """A whole run's change is a mean over the cells that a block has, and some have few: of equal things no
    more are called different than the level allows."""
    rng = np.random.default_rng(5)
    runs, share = 1000, 0.5
    level = share * sequential.level(len(cells))
    wrong = 0
    for _ in range(runs):
        means = 1.0 + rng.normal(0.0, 0.02, len(cells)) / np.sqrt(cells)
        wrong += compare([1.0] * len(cells), means.tolist(), share=share).verdict is Verdict.DIFFERENT
    assert wrong <= runs * level + 3 * math.sqrt(runs * level)
