"""A plan that is begun late."""

import pytest

from loadtests.planning import plan as plans
from loadtests.planning.late_begin import begun_late
from loadtests.planning.mix import Mix

DRAWN = plans.make("burst", 12.0, 5.0, 20.0, 7, Mix(workload="chat"))


def test_the_measured_arrivals_are_the_same() -> None:
    """As far from the window's begin, of the same lengths and words: cells that begin at different times meet
    the same."""
    late = begun_late(DRAWN, 1.5)
    assert late.phase_s("measure") == (1.5, 21.5)
    for whole, own in zip(
        [a for a in DRAWN.arrivals if a.phase == "measure"],
        [a for a in late.arrivals if a.phase == "measure"],
        strict=True,
    ):
        assert own.due_s - 1.5 == pytest.approx(whole.due_s - 5.0, abs=2e-6)
        assert own[2:] == whole[2:]


def test_what_is_left_of_the_warm_up_is_its_end() -> None:
    """Its last arrivals, from the later begin on, and the plan can be stored and read."""
    late = begun_late(DRAWN, 1.5)
    warm_up = [a.due_s for a in late.arrivals if a.phase == "warm_up"]
    asked = [a.due_s - 3.5 for a in DRAWN.arrivals if 3.5 <= a.due_s < 5.0]
    assert warm_up == pytest.approx(asked, abs=2e-6)
    assert 0 < len(warm_up) < DRAWN.offered("warm_up")
    assert [a.i for a in late.arrivals] == list(range(late.header.n)) == list(range(len(late)))
    assert plans.from_bytes(late.to_bytes()) == late


def test_a_plan_with_no_more_warm_up_than_that_stays() -> None:
    """Nothing is added, and the users of a closed loop have no arrivals to leave out."""
    closed = plans.make("closed", 1.0, 5.0, 20.0, 7)
    assert begun_late(DRAWN, 5.0) is DRAWN
    assert begun_late(DRAWN, 9.0) is DRAWN
    assert begun_late(closed, 1.0) is closed
