"""What a difference in the ledger does to a cell."""

import pytest

from experiments.measure.validity import OfferedRates, doubts
from experiments.stats.ledger import Check
from experiments.stats.littles_law import in_engine, in_system
from tests.experiments import plain


def _severities(*checks: Check) -> dict[str, str]:
    found = doubts(plain.load_run().ended, OfferedRates(500, 10.0, 10.0), checks, [], [0.0, 1.0, 2.0])
    return {doubt.code: doubt.severity for doubt in found}


def test_a_count_that_differs_makes_the_cell_invalid() -> None:
    """A lost request is a fault of the harness."""
    assert _severities(Check("arrivals", 100, 99, False)) == {"ledger": "invalid"}


def test_a_sum_of_times_that_differs_is_a_warning() -> None:
    """Times also hold what a busy machine puts between two clocks."""
    assert _severities(in_system(100.0, 90.0, 50)) == {"request_seconds": "warn"}
    assert _severities(in_system(100.0, 99.0, 50), in_engine(99.0, 98.0, 50)) == {}


@pytest.mark.parametrize(("inner_s", "agrees"), [(97.8, True), (97.0, False), (101.9, True), (102.1, False)])
def test_two_percent_and_eight_milliseconds_a_request(inner_s: float, agrees: bool) -> None:
    """Of 100 request-seconds in 50 requests: 2 s, and 0.4 s between the two places; never more inside by
    more than 2 s."""
    assert in_system(100.0, inner_s, 50).agrees is agrees
