"""What a run's records say of the limits that it used: never less than happened."""

from __future__ import annotations

import random

from experiments.racing.of_cells import footprint
from gateway.limits import Limits
from loadtests.outcome import Outcome
from loadtests.record import RequestRecord

LIMITS = Limits(max_active=8, queue_max=20, queue_timeout_s=1.0)


def record(
    sent_s: float, finished_s: float, queue_s: float | None = 0.0, outcome: Outcome = Outcome.OK
) -> RequestRecord:
    return RequestRecord(
        0, "r", "measure", "", 0, sent_s, outcome, sent_s=sent_s, finished_s=finished_s, queue_s=queue_s
    )


def test_what_ran_and_waited_at_once_is_counted() -> None:
    """Two hold a slot, one waits for the first of them."""
    found = footprint([record(0, 2), record(0.5, 3), record(1, 4, queue_s=1.0)], LIMITS)
    assert found is not None
    assert (found.peak_active, found.peak_queue, found.longest_wait_s) == (3, 1, 1.0)
    assert not found.refused
    assert not found.expired


def test_at_the_same_moment_both_count() -> None:
    """One ends as another begins: who came first the clocks do not say."""
    found = footprint([record(0, 1), record(1, 2)], LIMITS)
    assert found is not None
    assert found.peak_active == 2


def test_it_is_never_less_than_the_gateway_saw() -> None:
    """The client sends a little earlier and hears of the end a little later than the gateway sees it."""
    rng = random.Random(3)
    for _ in range(200):
        true = [(begin, begin + rng.expovariate(1.0)) for begin in (rng.uniform(0, 10) for _ in range(30))]
        seen = [record(b - rng.uniform(0, 0.01), e + rng.uniform(0, 0.01)) for b, e in true]
        found = footprint(seen, LIMITS)
        assert found is not None
        assert found.peak_active >= max(sum(b <= at < e for b, e in true) for at, _ in true)


def test_a_refusal_and_a_patience_at_its_end_are_seen() -> None:
    """A longer queue, or more patience, would have changed both."""
    full = record(0, 0.01, queue_s=None, outcome=Outcome.REJECTED_FULL)
    late = record(0, 1.01, queue_s=None, outcome=Outcome.QUEUE_TIMEOUT)
    found = footprint([full, late], LIMITS)
    assert found is not None
    assert found.refused
    assert found.expired
    assert found.peak_queue == 1
    assert not found.same_under(Limits(max_active=8, queue_max=20, queue_timeout_s=5.0))
    assert not found.same_under(Limits(max_active=8, queue_max=40, queue_timeout_s=1.0))


def test_what_is_not_known_stands_for_nobody() -> None:
    """A gateway that does not tell the wait; clients that tried again."""
    assert footprint([record(0, 1, queue_s=None)], LIMITS) is None
    again = RequestRecord(
        0, "r", "measure", "", 0, 0.0, Outcome.OK, sent_s=0.0, finished_s=1.0, queue_s=0.0,
        tried=(Outcome.REJECTED_FULL, Outcome.OK),
    )  # fmt: skip
    assert footprint([again], LIMITS) is None


def test_one_that_never_ended_holds_its_slot_to_the_end() -> None:
    """Cut at the end of the drain, without an end of its own."""
    open_ended = RequestRecord(0, "r", "measure", "", 0, 0.0, Outcome.CUT, sent_s=0.0)
    found = footprint([open_ended, record(5, 6), record(8, 9)], LIMITS)
    assert found is not None
    assert found.peak_active == 2
