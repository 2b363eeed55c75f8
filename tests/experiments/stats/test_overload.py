"""What a cell above capacity kept, shed and how fast, from its records."""

import pytest

from experiments.stats.overload import overload
from loadtests.outcome import Outcome
from loadtests.record import RequestRecord
from loadtests.slo import SLO

SLO_1S = SLO(ttft_s=1.0, attainment=0.9)


def _record(i: int, outcome: Outcome, took_s: float) -> RequestRecord:
    due_s = i / 13
    ended_s = due_s + took_s
    first_s = ended_s if outcome is Outcome.OK else None
    return RequestRecord(
        i, str(i), "measure", "", -1, due_s, outcome, first_s=first_s, last_s=first_s, finished_s=ended_s
    )


def test_kept_shed_and_how_fast() -> None:
    """13/s are offered where 10/s are the capacity: 9/s are good, 3/s refused at once, 1/s waits in vain."""
    records = []
    for second in range(20):
        of = [(Outcome.OK, 0.4)] * 9 + [(Outcome.REJECTED_FULL, 0.004)] * 3 + [(Outcome.QUEUE_TIMEOUT, 0.6)]
        records += [_record(13 * second + k, outcome, took_s) for k, (outcome, took_s) in enumerate(of)]
    found = overload(records, SLO_1S, 20.0, 10.0)
    assert found is not None
    assert found.load_ratio == pytest.approx(1.3)
    assert found.kept_ratio == pytest.approx(1.0)
    assert found.shed_ratio == pytest.approx(4 / 13)
    assert found.refused_p95_s == pytest.approx(0.004)
    assert str(found) == (
        "at 1.3 × capacity: 100% of the goodput kept, 31% shed, refusals answered within 4 ms (p95), "
        "given up after 600 ms in the queue (p95)"
    )


def test_what_did_not_happen_is_not_told() -> None:
    """Nobody shed: no time for it. Nothing offered: nothing to tell."""
    found = overload([_record(0, Outcome.OK, 2.0)], SLO_1S, 1.0, 0.8)
    assert found is not None
    assert (found.kept_ratio, found.refused_p95_s, found.waited_p95_s) == (0.0, None, None)
    assert overload([], SLO_1S, 1.0, 0.8) is None
