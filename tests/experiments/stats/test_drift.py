"""The drift of the sentinel, on a simulated machine that stays as it is, or does not."""

import numpy as np
import pytest

from experiments.stats import drift
from experiments.stats.drift import Drift, Repeat, RepeatWindow
from gateway.limits import Limits, QueueMode
from tests.experiments.stats.simulated_truth import Machine, poisson, serve

MACHINE = Machine(alpha_s=0.02, beta_s=0.002, tokens=25.0)
WARM_S = 5.0
RUN_SD = 0.01


def _found(rng: np.random.Generator, slots: int, speeds: list[float], requests: int) -> list[Drift]:
    """The sentinel as a sweep measures it: one trace, half of what the slots serve, a speed a block."""
    rate = 0.5 * MACHINE.capacity_per_s(slots)
    duration_s = requests / rate
    trace = poisson(rng, rate, WARM_S + duration_s, MACHINE, shape=1e6)
    limits = Limits(max_active=slots, queue_mode=QueueMode.QUEUE, queue_max=100, queue_timeout_s=120.0)
    metrics: dict[str, list[Repeat]] = {"goodput": [], "e2e": []}
    for block, speed in enumerate(speeds):
        seen = serve(trace, limits, MACHINE, speed * float(rng.lognormal(0.0, RUN_SD)))
        inside = (seen.due_s >= WARM_S) & ~seen.shed
        window = RepeatWindow(seen.due_s[inside] - WARM_S, duration_s, "t")
        repeats = {
            "goodput": drift.goodput(block, window, seen.good(0.2)[inside]),
            "e2e": drift.median(block, window, seen.e2e_s[inside]),
        }
        for name, repeat in repeats.items():
            if repeat is not None:
                metrics[name].append(repeat)
    return drift.drifts(metrics)


def _share(draws: int, slots: int, speeds: list[float], requests: int = 90) -> float:
    rng = np.random.default_rng([slots, len(speeds), draws])
    return sum(bool(_found(rng, slots, speeds, requests)) for _ in range(draws)) / draws


@pytest.mark.parametrize("slots", [2, 8])
def test_a_machine_that_stays_the_same_is_seldom_doubted(slots: int) -> None:
    """In one of twenty sweeps at most."""
    assert _share(60, slots, [1.0, 1.0, 1.0]) <= 0.05


@pytest.mark.prove
@pytest.mark.parametrize(("slots", "blocks"), [(2, 3), (2, 5), (8, 3), (8, 5)])
def test_false_alarms_stay_within_their_share(slots: int, blocks: int) -> None:
    """5 % with the 1 % of luck that 400 repetitions leave."""
    assert _share(400, slots, [1.0] * blocks) <= 0.06


@pytest.mark.parametrize("slots", [2, 8])
def test_a_machine_that_slows_down_is_seen(slots: int) -> None:
    """A fifth slower in the last block is found mostly, and that block is named."""
    assert _share(20, slots, [1.0, 1.0, 0.8]) >= 0.7
    named = [_found(np.random.default_rng(seed), slots, [1.0, 1.0, 0.8], 90) for seed in range(10)]
    assert {block for found in named for one in found for block in one.blocks} == {2}


def _exact(block: int, value: float) -> Repeat:
    return Repeat(block, value, np.zeros(100))


def test_small_differences_are_not_worth_a_warning() -> None:
    """4 % stays 4 %, however sure it is."""
    assert drift.drifts({"e2e": [_exact(0, 1.0), _exact(1, 1.04)]}) == []


def test_a_slow_drift_names_its_ends() -> None:
    """The middle block is where the median is."""
    (found,) = drift.drifts({"e2e": [_exact(0, 1.0), _exact(1, 1.1), _exact(2, 1.2)]})
    assert found.blocks == (0, 2)
    assert found.relative == pytest.approx(0.2)
    assert (found.low.block, found.high.block) == (0, 2)


def test_noise_hides_what_it_must() -> None:
    """10 % more, when each value is only known to 20 %, is nothing."""
    rng = np.random.default_rng(1)
    noisy = [Repeat(block, value, rng.normal(0.0, 0.2, 400)) for block, value in ((0, 1.0), (1, 1.1))]
    assert drift.drifts({"e2e": noisy}) == []


def test_too_few_requests_say_nothing() -> None:
    """A window of ten has no error to speak of."""
    window = RepeatWindow(np.arange(10.0), 10.0, "t")
    assert drift.goodput(0, window, np.ones(10, dtype=bool)) is None
    assert drift.median(0, window, np.ones(10)) is None
