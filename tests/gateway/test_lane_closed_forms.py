"""With lanes the core must reproduce exactly solved queues with priority classes: within 3 standard errors +
0.5 % of the closed form, fixed seeds.
"""

import pytest

from benchmarks.lanes.closed_forms import Case, cases, cobham, reserved_slots, rows
from benchmarks.lanes.virtual import Stream
from tests.gateway.queueing import erlang_b, mmcq

SHORT = (20, 4_000)
LONG = pytest.param((40, 40_000), marks=pytest.mark.prove)


def test_the_formulas_agree_with_others() -> None:
    """Cobham's waits keep what Kleinrock's conservation law keeps, one class alone waits as in M/M/c, and
    without reserved slots both classes are turned away as Erlang says.
    """
    streams = (Stream("t/a", 0.8), Stream("t/b", 1.2), Stream("t/c", 1.2))
    waits = cobham(4, streams)
    (alone,) = cobham(4, (Stream("t/a", 3.2),))
    assert sum(w * s.load for w, s in zip(waits, streams, strict=True)) == pytest.approx(3.2 * alone)
    assert alone == pytest.approx(mmcq(4, 400, 3.2).queue_time, rel=1e-6)
    # Textbook: M/G/1, λ = 0.5 each, constant 0.4 before exponential 1: W0 = 0.54.
    two = cobham(1, (Stream("t/a", 0.5, 0.4, constant=True), Stream("t/b", 0.5)))
    assert two == pytest.approx([0.54 / 0.8, 0.54 / 0.8 / 0.3])
    assert reserved_slots(5, (0, 0), (2.5, 2.0)) == pytest.approx([erlang_b(5, 4.5)] * 2)
    # One slot each: two systems of one slot.
    assert reserved_slots(2, (1, 1), (0.5, 2.0)) == pytest.approx([erlang_b(1, 0.5), erlang_b(1, 2.0)])


@pytest.mark.parametrize("size", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_the_core_is_the_closed_form(case: Case, size: tuple[int, int]) -> None:
    """Priority for two and three classes, reserved slots, classes with bounds of their own."""
    found = list(rows(case, *size))
    assert {row.measure for row in found} == set(case.exact)
    for row in found:
        assert row.agrees, row
