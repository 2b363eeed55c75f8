"""Paired comparisons with several looks: honest about equal settings, able to tell different ones apart."""

from statistics import NormalDist

import numpy as np
import pytest

from experiments.stats import sequential
from experiments.stats.paired import blocks_that_tell, compare
from gateway.limits import Limits
from tests.experiments.stats.simulated_truth import Machine, poisson, serve

MACHINE = Machine(alpha_s=0.02, beta_s=0.002, tokens=25.0)
LIMITS = Limits(max_active=8, queue_max=16, queue_timeout_s=0.5)
WINDOW_S = 45.0
RATE_PER_S = 1.05 * MACHINE.capacity_per_s(8)
LOOKS = sequential.LOOKS[:4]


def _goodput_per_s(seed: int, block: int, side: int, run_sd: float, lost: float = 0.0) -> float:
    """Goodput of one run of one block's trace. `lost`: this share of the good requests is not."""
    trace = poisson(np.random.default_rng([seed, block]), RATE_PER_S, WINDOW_S, MACHINE, shape=4.0)
    own = np.random.default_rng([seed, block, side])
    good = serve(trace, LIMITS, MACHINE, float(own.lognormal(0.0, run_sd))).good(0.6, 0.05)
    return float((good & (own.uniform(size=len(good)) >= lost)).sum()) / WINDOW_S


def _verdict(seed: int, run_sd: float, looks: tuple[int, ...], lost: float = 0.0) -> str:
    """What the tool says in the end when it looks after each of `looks` blocks and stops at a verdict."""
    a: list[float] = []
    b: list[float] = []
    verdict = "cant_tell"
    for look in looks:
        for block in range(len(a), look):
            a.append(_goodput_per_s(seed, block, 1, run_sd))
            b.append(_goodput_per_s(seed, block, 2, run_sd, lost))
        verdict = compare(a, b, resolution=1 / WINDOW_S).verdict
        if verdict != "cant_tell":
            break
    return verdict


def test_equal_settings_are_seldom_called_different() -> None:
    """Short form of the proof, on normal differences: four looks, 200 repetitions, 5 % and two standard
    errors."""
    different = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        a, b = 10 + rng.normal(size=12), 10 + rng.normal(size=12)
        different += any(compare(a[:n], b[:n]).verdict == "different" for n in LOOKS)
    assert different / 200 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


@pytest.mark.prove
@pytest.mark.parametrize("run_sd", [0.01, 0.03, 0.08])
def test_equal_settings_on_simulated_truth(run_sd: float) -> None:
    """2,000 A/A comparisons through the gateway's admission core, looks at 3, 5, 8 and 12 blocks."""
    verdicts = [_verdict(seed, run_sd, LOOKS) for seed in range(2000)]
    share = verdicts.count("different") / 2000
    said = {word: verdicts.count(word) for word in ("different", "equal", "cant_tell")}
    print(f"A/A, run-to-run sd {run_sd:.0%}: called different in {share:.2%} of 2000 ({said})")
    assert share <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.prove
@pytest.mark.parametrize("run_sd", [0.005, 0.01, 0.02])
def test_the_stated_number_of_blocks_finds_five_percent(run_sd: float) -> None:
    """300 pairs that truly differ by 5 % of goodput: after three blocks the tool states how many would tell;
    with those it does in 80 % at least."""
    told, stated = 0, []
    for seed in range(300):
        a = [_goodput_per_s(seed, block, 1, run_sd) for block in range(3)]
        b = [_goodput_per_s(seed, block, 2, run_sd, lost=0.05) for block in range(3)]
        found = compare(a, b, resolution=1 / WINDOW_S)
        whole = min(found.blocks + found.further_blocks, sequential.LOOKS[-1])
        stated.append(whole)
        looks = tuple(look for look in sequential.LOOKS if look <= whole)
        told += _verdict(seed, run_sd, looks, lost=0.05) == "different"
    print(
        f"5 % difference, run-to-run sd {run_sd:.1%}: told in {told / 300:.1%}; blocks stated: median "
        f"{np.median(stated):.0f}, 90 % up to {np.quantile(stated, 0.9):.0f}"
    )
    assert told / 300 >= 0.80


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
