"""Further periods like a recording."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.learning import production
from experiments.learning.production import Floats, Production
from experiments.learning.stretches import PAUSE_S, Stretches
from tests.experiments.learning.small import SPAN_S, recording


@pytest.fixture(scope="module")
def seen() -> Production:
    return production.of(recording(), "production")


def _rates(stretches: Stretches, scale: float, periods: int = 20) -> Floats:
    rng = np.random.default_rng(1)
    played = [stretches.at(scale, rng) for _ in range(periods)]
    return np.array([one.counted.sum() / one.counted_s for one in played])


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5, 2.5])
def test_so_many_times_the_requests(seen: Production, scale: float) -> None:
    """On average: each period has its own bursts."""
    rates = _rates(Stretches(seen, 100_000, 1), scale)
    assert rates.mean() == pytest.approx(scale * len(seen) / seen.span_s, rel=0.08)
    assert rates.std() > 0


def test_the_rhythm_stays(seen: Production) -> None:
    """Busy minutes come where they came."""
    played = Stretches(seen, 100_000, 1).at(1.0, np.random.default_rng(2))
    bins = np.linspace(0.0, SPAN_S, 41)
    now, _ = np.histogram([one.due_s for one in played.asked], bins)
    then, _ = np.histogram(seen.arrival_s, bins)
    assert np.corrcoef(now, then)[0, 1] > 0.8


def test_of_many_requests_some_blocks_are_played(seen: Production) -> None:
    """Quiet and busy ones: the mean rate is that of the whole, with what comes before a block not counted."""
    few = Stretches(seen, len(seen) // 3, 1)
    played = few.at(1.0, np.random.default_rng(3))
    assert played.counted_s == pytest.approx(seen.span_s / 3, rel=0.2)
    assert 0 < (~played.counted).sum() < 2 * played.counted.sum()
    assert np.diff([one.due_s for one in played.asked]).max() > 0.9 * PAUSE_S
    assert _rates(few, 1.0).mean() == pytest.approx(len(seen) / seen.span_s, rel=0.15)


def test_smooth_arrivals_are_not_called_bursty(seen: Production) -> None:
    """A Poisson process with a rhythm has no burst beyond chance; the same requests in pairs of crowded and
    empty half minutes have."""
    assert Stretches(seen, 100_000, 1).burstiness < 0.25
    crowded = seen.where(np.floor(seen.arrival_s / 30) % 2 == 0)
    assert Stretches(crowded, 100_000, 1).burstiness > 0.8
