"""The engine on a machine that is not quiet: slower when it is told to be, the same bits by either code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.twin.capacity import OPEN, Planned
from experiments.twin.profile import EXACT
from experiments.twin.simulate import Core, simulate
from tests.experiments.twin.disturbed_engine import Slowness, disturbed_engine, planted
from tests.experiments.twin.nonlinear_engine import Physics, graphs_off
from tests.experiments.twin.random_cases import draw
from tests.experiments.twin.test_core import bits

STILL = graphs_off(Physics())


@pytest.mark.prove
@pytest.mark.parametrize("one_by_one", [False, True])
def test_the_disturbed_engine_has_the_same_bits_by_either_code(one_by_one: bool) -> None:
    for seed in range(25):
        case = draw(seed, requests=60)
        pieces = planted(seed, 30.0, 0.3).since(7.0)
        both = [
            disturbed_engine(Physics(), case.profile, speed_at=pieces, seed=seed, one_by_one=one_by_one)
            for _ in range(2)
        ]
        meant = replace(case, profile=both[0]).play(Core.REFERENCE)
        played = replace(case, profile=both[1]).play(Core.COMPILED)
        assert (meant.compiled, played.compiled) == (False, True)
        assert bits(meant) == bits(played), case


def test_a_disturbance_stretches_what_falls_into_it_and_nothing_else() -> None:
    """Two answers of 1,000 tokens one after the other: half as fast from the middle of the first on."""
    work = [Planned(0.0, 10, 1000), Planned(20.0, 10, 1000)]
    quiet = simulate(work, disturbed_engine(STILL, EXACT, speed_at=(), seed=1), OPEN)
    first_s = float(quiet.last_s[0])
    half_s = first_s / 2
    slow = [(0.0, 1.0), (half_s, 2.0), (first_s + half_s, 1.0)]
    for one_by_one in (False, True):
        engine = disturbed_engine(STILL, EXACT, speed_at=slow, seed=1, one_by_one=one_by_one)
        done = simulate(work, engine, OPEN)
        assert done.last_s[0] == pytest.approx(first_s + half_s, rel=2e-3)
        assert done.last_s[1] == pytest.approx(quiet.last_s[1], rel=2e-3)


def test_a_run_s_slowness_is_told_to_each_cell_in_its_own_time() -> None:
    slowness = Slowness(((100.0, 1.5), (120.0, 1.0)))
    assert slowness.since(110.0) == [(0.0, 1.5), (10.0, 1.0)]
    assert slowness.since(40.0) == [(0.0, 1.0), (60.0, 1.5), (80.0, 1.0)]
    assert slowness.at(np.array([0.0, 100.0, 130.0])).tolist() == [1.0, 1.5, 1.0]
    drifted = slowness.drifting(200.0, 0.1)
    assert drifted.at(np.array([0.0, 100.0, 199.0])).tolist() == pytest.approx([1.0, 1.575, 1.0975])


def test_planted_disturbances_take_the_share_that_was_asked_for() -> None:
    times_s = np.arange(0.0, 3000.0, 0.5)
    for share in (0.1, 0.35):
        factors = np.array([planted(seed, 3000.0, share).at(times_s) for seed in range(20)])
        assert np.mean(factors > 1) == pytest.approx(share, abs=0.03)
        assert factors[factors > 1].min() > 1.19
        assert factors.max() < 2.51
