"""Whole sessions, judged from their requests: by hand, in the summary, and for the gate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from loadtests.outcome import Outcome
from loadtests.planning import plan as plans
from loadtests.planning.load_class import parse_mix
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.recording.summary import meets, summarise
from loadtests.session_outcome import judge_sessions
from loadtests.slo import SLO

TURNS = Mix(turns=3.0, turn_gap_s=1.0)
ALL = SLO.parse("ttft<=1s,attainment>=0.9")


def served(plan: Plan, ttft_s: float = 0.5) -> list[RequestRecord]:
    """Every request answered in a second."""
    return [
        RequestRecord(
            a.i, "r", a.phase, a.cls, a.session, a.due_s, Outcome.OK, sent_s=a.due_s,
            first_s=a.due_s + ttft_s,
            last_s=a.due_s + 1, finished_s=a.due_s + 1, chunk_times_s=[a.due_s + ttft_s, a.due_s + 1],
            output_tokens=2, turn=a.turn, attempts=1,
        )
        for a in plan.arrivals
    ]  # fmt: skip


def first_session(plan: Plan, phase: str = "measure") -> list[int]:
    number = next(a.session for a in plan.arrivals if a.phase == phase and a.turn == 1)
    return [a.i for a in plan.arrivals if a.session == number]


def without(records: Iterable[RequestRecord], i: int, **changed: object) -> list[RequestRecord]:
    return [replace(r, **changed) if r.i == i else r for r in records]  # type: ignore[arg-type]


def test_by_hand() -> None:
    """Three sessions: one good, one with a late answer, one that lost its last request; two of them are
    bounded as a whole, where only the time counts."""
    session = np.array([7, 7, 9, 9, 4, 4])
    due_s, end_s = np.array([0.0, 5, 1, 3, 2, 9]), np.array([1.0, 6, 2, 8, 3, np.nan])
    ok = np.array([True, True, True, True, True, False])
    good = np.array([True, True, True, False, True, False])
    nan = np.full(6, np.nan)
    each = judge_sessions(session, due_s, end_s, ok, good, nan)
    assert each.session.tolist() == [4, 7, 9]
    assert each.start_s.tolist() == [2, 0, 1]
    assert each.served.tolist() == [False, True, True]
    assert each.good.tolist() == [False, True, False]
    assert each.length_s[1:].tolist() == [6, 7]
    assert np.isnan(each.length_s[0])
    whole = judge_sessions(session, due_s, end_s, ok, good, np.array([6.5, 6.5, 7.0, 7.0, 99, 99]))
    assert whole.good.tolist() == [False, True, True]
    assert judge_sessions(session, due_s, end_s, ok, good, np.full(6, 6.0)).good.tolist() == [
        False,
        True,
        False,
    ]


def test_the_summary_counts_sessions_that_begin_in_the_window() -> None:
    """Offered by the plan; one bad request makes its session bad, a lost record too."""
    plan = plans.make("constant", 10.0, 5.0, 60.0, 1, TURNS)
    offered = len({a.session for a in plan.arrivals if a.phase == "measure"})
    whole = summarise(served(plan), plan, ALL).sessions
    assert whole is not None
    assert (whole.offered, whole.served, whole.good) == (offered, offered, offered)
    assert whole.attainment == 1.0
    assert whole.goodput_per_s == pytest.approx(offered / 60.0)
    last = first_session(plan)[-1]
    for records in (
        without(served(plan), last, outcome=Outcome.NOT_SENT, first_s=None, finished_s=None),
        [record for record in served(plan) if record.i != last],
    ):
        one_less = summarise(records, plan, ALL).sessions
        assert one_less is not None
        assert (one_less.offered, one_less.served, one_less.good) == (offered, offered - 1, offered - 1)
    late = summarise(without(served(plan), last, first_s=plan.arrivals[last].due_s + 3), plan, ALL).sessions
    assert late is not None
    assert (late.served, late.good) == (offered, offered - 1)
    cooling = without(served(plan), first_session(plan, "cool_down")[-1], outcome=Outcome.CUT)
    assert summarise(cooling, plan, ALL).sessions == whole


def test_a_bound_on_the_session_takes_the_place_of_those_on_requests() -> None:
    """A late token does not matter where the whole was in time; its length has the pauses in it."""
    plan = plans.make("constant", 10.0, 5.0, 60.0, 1, TURNS)
    own = first_session(plan)
    length_s = plan.arrivals[own[-1]].due_s + 1 - plan.arrivals[own[0]].due_s
    records = without(served(plan), own[-1], first_s=plan.arrivals[own[-1]].due_s + 3)
    for bound_s, good in ((length_s + 0.01, True), (length_s - 0.01, False)):
        slo = SLO(ttft_s=1.0, session_s=bound_s, attainment=0.5)
        others = [r for r in records if r.session == records[own[0]].session]
        found = summarise(others, plan, slo).sessions
        assert found is not None
        assert found.good == int(good)


def test_the_gate_wants_sessions_as_well_where_they_are_bounded() -> None:
    """All requests in time, and no session: missed. Without a bound on sessions requests decide."""
    plan = plans.make("constant", 10.0, 5.0, 60.0, 1, TURNS)
    for text, met in (
        ("ttft<=1s", True),
        ("ttft<=1s,session<=100s", True),
        ("ttft<=1s,session<=10ms", False),
    ):
        slo = SLO.parse(text)
        assert meets(summarise(served(plan), plan, slo), slo) == met


def test_each_class_has_its_own_sessions_and_bound() -> None:
    """Agents bounded as a whole beside chats that are requests alone."""
    mix = Mix(classes=parse_mix("chat:0.5,agent:0.5"))
    plan = plans.make("sustained", 10.0, 5.0, 60.0, 1, mix)
    slo = SLO.parse("ttft<=1s;agent:session<=10ms").for_classes(["chat", "agent"])
    summary = summarise(served(plan), plan, slo)
    assert summary.classes is not None
    assert summary.classes["chat"].sessions is None
    agents = summary.classes["agent"].sessions
    assert agents is not None
    assert (agents.served, agents.good) == (agents.offered, 0)
    assert not meets(summary, slo)


@pytest.mark.parametrize("text", ["session<=90s", "ttft<=1s,session<=2500ms,attainment>=0.8"])
def test_the_objective_reads_and_writes_it(text: str) -> None:
    """As all other bounds, alone too; scaled with them."""
    slo = SLO.parse(text)
    assert SLO.parse(str(slo)) == slo
    assert slo.scaled(2.0).session_s == 2 * (slo.session_s or 0)
