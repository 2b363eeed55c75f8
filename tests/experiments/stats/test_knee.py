"""Capacity under the objective: found with an interval that holds the truth, or honestly outside of the
range."""

import numpy as np
import pytest

from experiments.stats.knee import capacity
from experiments.stats.stretch import Stretch


def _stretches(seed: int, rates: list[float], inflation: int = 4) -> list[Stretch]:
    """Windows of 60 s: attainment falls along a curve that is no logistic one and passes 95 % at 8/s;
    requests are missed in groups of `inflation`. Inside, a stretch shows those and, as real ones do, the
    ups and downs of the rate (2 more), a third too much."""
    rng = np.random.default_rng(seed)
    made = []
    for rate in rates:
        offered = max(inflation, rng.poisson(rate * 60.0))
        missed = 0.05 * (offered / 60.0 / 8.0) ** 6
        groups = offered // inflation
        good = offered - inflation * rng.binomial(groups, min(1.0, missed))
        made.append(Stretch(rate, max(0, good), offered, 60.0, offered / (1.3 * (inflation + 2))))
    return made


def test_the_interval_holds_the_truth() -> None:
    """In 100 measurements of five loads the capacity of 8/s lies in the interval in 90 to 100."""
    held, widths = 0, []
    for seed in range(100):
        found = capacity(_stretches(seed, [6.0, 7.0, 8.0, 9.0, 10.0]), 0.95)
        held += (found.low_per_s or 0.0) <= 8.0 <= (found.high_per_s or np.inf)
        widths.append(found.half_width or np.inf)
    assert held >= 90
    assert np.median(widths) <= 0.10


def test_never_reached_is_said() -> None:
    """A range that ends below the capacity has no number for it, but one that it surely exceeds."""
    found = capacity(_stretches(0, [2.0, 3.0, 4.0]), 0.95)
    assert (found.verdict, found.value_per_s) == ("not_reached", None)
    assert found.why == "not reached in this range: met at every rate up to 4/s"
    assert found.half_width is None


@pytest.mark.parametrize(
    ("stretch", "target"),
    [
        (Stretch(0.5, 5, 5, 10.0), 0.99),  # few enough that the median lies next to the rate
        (Stretch(6.0, 120, 120, 30.0), 0.95),  # fewer came than were asked for
        (Stretch(12.0, 120, 120, 30.0), 0.95),
    ],
)
def test_one_cell_that_never_missed_finds_no_capacity(stretch: Stretch, target: float) -> None:
    """Nothing bounds it from above, wherever the prior puts the median."""
    found = capacity([stretch], target)
    assert (found.verdict, found.value_per_s, found.high_per_s) == ("not_reached", None, None)


def test_an_end_that_no_measurement_bounds_is_not_told() -> None:
    """One stretch that just meets the target tells where the capacity surely is not below; that it is not
    twice as high was measured by nobody."""
    found = capacity([Stretch(4.0, 38, 40, 10.0)], 0.95)
    assert (found.verdict, found.high_per_s) == ("found", None)
    assert found.low_per_s is not None
    assert found.why.startswith("surely above ")


def test_the_range_is_that_of_the_rates_that_came() -> None:
    """A capacity is one of an engine of usual speed: 8/s on one a quarter slower count as 10/s."""
    slow, usual = Stretch(8.0, 290, 300, 37.5, None, 1.25), Stretch(6.0, 216, 216, 36.0)
    found = capacity([slow, usual], 0.95)
    assert found.verdict == "found"
    assert found.value_per_s == pytest.approx(10, rel=0.15)


def test_a_range_above_capacity_is_said() -> None:
    """And so is one that begins beyond it."""
    found = capacity(_stretches(0, [14.0, 15.0]), 0.95)
    assert (found.verdict, found.value_per_s) == ("below_range", None)
    assert found.high_per_s is not None
    assert found.high_per_s < 14.0
    assert found.why == "already missed at the lowest rate, 14/s"


def test_few_requests_leave_it_wide() -> None:
    """The same shares of a tenth of the requests: the interval is more than twice as wide."""
    many = capacity(
        [Stretch(4.0, 2400, 2400, 600.0), Stretch(8.0, 4560, 4800, 600.0), Stretch(9.0, 4860, 5400, 600.0)],
        0.95,
    )
    few = capacity(
        [Stretch(4.0, 240, 240, 60.0), Stretch(8.0, 456, 480, 60.0), Stretch(9.0, 486, 540, 60.0)], 0.95
    )
    assert many.value_per_s == pytest.approx(8.0, rel=0.03)
    assert (few.half_width or np.inf) > 2 * (many.half_width or np.inf)


def test_a_slow_stretch_counts_as_a_denser_one() -> None:
    """An engine a quarter slower, met by 8/s, was where one of usual speed is at 10/s."""
    usual = [Stretch(rate, round(rate * 60 * share), round(rate * 60), 60.0) for rate, share in _SHARES]
    slower = [Stretch(s.rate_per_s / 1.25, s.good, s.offered, s.duration_s * 1.25, None, 1.25) for s in usual]
    found, same = capacity(usual, 0.95), capacity(slower, 0.95)
    assert same.value_per_s == pytest.approx(found.value_per_s)


_SHARES = ((6.0, 1.0), (8.0, 0.95), (10.0, 0.8))
