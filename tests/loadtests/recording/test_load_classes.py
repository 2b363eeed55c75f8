"""Load classes in what a run came to: each by its own objective, and how evenly tenants were served."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.outcome import Outcome
from loadtests.planning import plan as plans
from loadtests.planning.arrival import Arrival
from loadtests.planning.load_class import parse_mix
from loadtests.planning.mix import Mix
from loadtests.record import RequestRecord
from loadtests.recording.chunk_times import ChunkTimes
from loadtests.recording.fairness import jain, max_min
from loadtests.recording.load_run import CpuShare
from loadtests.recording.numbers import Generator, Numbers, Seen, Standing, numbers
from loadtests.recording.result import OK, SLO_MISSED, Ending, SenderFacts, result
from loadtests.recording.saturation import Lags, send_lag_limit_s
from loadtests.recording.so_far import SoFar
from loadtests.recording.summary import summarise
from loadtests.recording.table import from_records
from loadtests.slo import SLO

CLASSES = parse_mix("short=64x8:0.9@alice,long=640x80:0.1@bob")
PLAN = plans.make("constant", 20.0, 2.0, 30.0, 0, Mix(classes=CLASSES))
GOAL = SLO.parse("ttft<=1s;short:ttft<=1s,attainment>=0.9;long:ttft<=5s,attainment>=0.9")
NOTHING = Generator(Lags(0, None, None, None), Lags(0, None, None, None), CpuShare(None, None), ())


def served(arrival: Arrival, ttft_s: float | None) -> RequestRecord:
    """Refused without a time to first token."""
    first_s = None if ttft_s is None else arrival.due_s + ttft_s
    return RequestRecord(
        arrival.i, "", arrival.phase, arrival.cls, -1, arrival.due_s,
        Outcome.REJECTED_FULL if first_s is None else Outcome.OK,
        sent_s=arrival.due_s, first_s=first_s, last_s=first_s, finished_s=first_s or arrival.due_s,
        chunk_times_s=() if first_s is None else (first_s,), attempts=1,
        output_tokens=None if first_s is None else 1,
    )  # fmt: skip


def records(short_s: float | None = 0.5, long_s: float | None = 2.0) -> list[RequestRecord]:
    return [served(a, short_s if a.cls == "short" else long_s) for a in PLAN.arrivals]


def in_the_end(taken: list[RequestRecord], slo: SLO = GOAL) -> Numbers:
    return numbers(summarise(taken, PLAN, slo), Seen(30.0, 30.0, 0), slo, NOTHING, (), final=True)


def test_each_class_is_counted_over_its_own_offered_requests() -> None:
    """Long answers that are late for the common objective are in time by their own."""
    found = summarise(records(), PLAN, GOAL)
    assert found.classes is not None
    planned = {
        name: sum(a.cls == name and a.phase == "measure" for a in PLAN.arrivals) for name in found.classes
    }
    assert {name: own.counts.offered for name, own in found.classes.items()} == planned
    assert [own.attainment for own in found.classes.values()] == [1.0, 1.0]
    assert found.attainment == 1.0
    short = planned["short"] / sum(planned.values())
    assert summarise(records(), PLAN, SLO(ttft_s=1.0)).attainment == pytest.approx(short)


def test_a_class_without_a_single_record_is_missed_not_forgotten() -> None:
    """What was planned counts, whoever lost it."""
    only = [record for record in records() if record.cls == "short"]
    found = in_the_end(only)
    assert found.attainment.standing is Standing.MISSED
    assert [one.attainment.standing for one in found.classes] == [Standing.MET, Standing.MISSED]


def test_the_objective_is_met_where_every_class_meets_its_own() -> None:
    """92 % of all are in time, and yet it is missed: the small class is refused."""
    starved = in_the_end(records(long_s=None))
    assert starved.attainment.share is not None
    assert starved.attainment.share > 0.85
    assert (starved.attainment.standing, starved.attainment.sure) == (Standing.MISSED, True)
    fine = in_the_end(records())
    assert (fine.attainment.standing, fine.attainment.sure) == (Standing.MET, True)
    assert [one.objective.text for one in fine.classes] == [str(own) for _, own in GOAL.classes]
    assert fine.classes[1].latencies[0].p50 == "2000"


def test_a_gate_fails_where_a_class_is_missed() -> None:
    """Exit code 10, as for everybody's objective."""
    ending = Ending("completed", [], 0)
    senders = [SenderFacts(recorded=len(PLAN), chunk_times=ChunkTimes())]

    def code(taken: list[RequestRecord]) -> int:
        return result(from_records(taken), PLAN, GOAL, senders, ending, gate=True).exit_code

    assert code(records()) == OK
    assert code(records(long_s=None)) == SLO_MISSED


def test_what_is_summed_up_on_the_way_has_the_classes_too() -> None:
    """The live page shows what the end will say."""
    taken, live = records(long_s=None), SoFar(PLAN, GOAL)
    for record in taken:
        live.add(record)
    exact, found = summarise(taken, PLAN, GOAL), live.summary(PLAN.duration_s)
    assert exact.classes is not None
    assert found.classes is not None
    for name, own in exact.classes.items():
        assert found.classes[name].counts == own.counts
        assert found.classes[name].rates == own.rates
    half_way = numbers(live.summary(17.0), live.seen(17.0, 0), GOAL, NOTHING, (), final=False)
    assert [one.name for one in half_way.classes] == ["short", "long"]


def test_the_generator_is_judged_by_the_strictest_class() -> None:
    """1 % of its TTFT objective."""
    assert send_lag_limit_s(SLO.parse("ttft<=1s;a:ttft<=100ms;b:ttft<=9s")) == pytest.approx(1e-3)
    assert send_lag_limit_s(SLO(ttft_s=1.0)) == 5e-3
    assert send_lag_limit_s(SLO(e2e_s=1.0)) == 5e-3


def test_a_flood_that_is_cut_is_no_unfairness() -> None:
    """The modest tenant has all it asked for, the other what is left: that is max-min fair. Cut the modest
    one instead, and Jain's index falls towards a half."""
    fair = summarise(records(long_s=None), PLAN, GOAL).fairness
    assert fair is not None
    assert [one.tenant for one in fair.tenants] == ["alice", "bob"]
    assert fair.tenants[1].served_tokens == 0
    assert fair.jain == pytest.approx(0.5)
    even = summarise(records(), PLAN, GOAL).fairness
    assert even is not None
    assert even.jain == pytest.approx(1.0)
    assert [one.asked_tokens for one in even.tenants] == [one.served_tokens for one in even.tenants]
    alone = plans.make(
        "constant", 20.0, 2.0, 30.0, 0, Mix(classes=tuple(replace(c, tenant="") for c in CLASSES))
    )
    assert summarise(records(), alone, GOAL).fairness is None


@given(
    asked=st.lists(st.floats(0, 1e6), min_size=1, max_size=6),
    part=st.floats(0, 1),
)
def test_who_gets_less_than_another_asked_for_no_more(asked: list[float], part: float) -> None:
    """All is given away, and nobody gets more than it asked for."""
    total = part * sum(asked)
    given_ = max_min(total, {str(k): wanted for k, wanted in enumerate(asked)})
    assert sum(given_.values()) == pytest.approx(total, rel=1e-9, abs=1e-6)
    most = max(given_.values())
    for k, wanted in enumerate(asked):
        assert given_[str(k)] <= wanted + 1e-9
        if given_[str(k)] < most - 1e-6:
            assert given_[str(k)] == pytest.approx(wanted)


def test_jains_index_is_that_of_its_paper() -> None:
    """1 for equal parts, k/n where k of n share alike and the others have nothing, none of nothing."""
    assert jain([3.0, 3.0, 3.0]) == pytest.approx(1.0)
    assert jain([1.0, 1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.4)
    assert jain([]) is None
    assert jain([0.0]) is None
