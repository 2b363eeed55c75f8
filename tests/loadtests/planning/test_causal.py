"""Plans whose requests follow answers: what they are made of, and that they are data like any other."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from loadtests.planning import plan as plans
from loadtests.planning.arrival import Arrival
from loadtests.planning.late_begin import begun_late
from loadtests.planning.load_class import parse_mix
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.planning.scenarios import SCENARIOS

LOOPS = Mix(turns=2.0, turn_gap_s=3.0, tool_calls=2.0, tool_s=1.0, turn_tokens=40)
BRANCHING = Mix(turns=1.5, tool_calls=1.0, branches=3, prompt_tokens=100)
WITH_SESSIONS = [
    pytest.param("sustained", LOOPS, id="tool loops"),
    pytest.param("burst", BRANCHING, id="branches"),
    pytest.param("agents", Mix(prompt_tokens=50), id="the scenario"),
    pytest.param("sustained", Mix(workload="agent", max_prompt_tokens=4000), id="cut short"),
    pytest.param("sustained", Mix(classes=parse_mix("chat:0.4,agent:0.6")), id="a class of them"),
    pytest.param("constant", Mix(workload="servegen-mix", turns=3), id="clients"),
]


def made(scenario: str, mix: Mix, seconds: float = 200.0, seed: int = 5) -> Plan:
    return plans.make(scenario, 10.0, 30.0, seconds, seed, mix)


def by_session(plan: Plan) -> dict[int, list[Arrival]]:
    found = defaultdict(list)
    for arrival in plan.arrivals:
        if arrival.session >= 0:
            found[arrival.session].append(arrival)
    return found


@pytest.mark.parametrize(("scenario", "mix"), WITH_SESSIONS)
def test_what_follows_comes_later_and_is_of_the_same_session(scenario: str, mix: Mix) -> None:
    """A plan is in order, whatever follows what; a request quotes one that it follows directly or not."""
    plan = made(scenario, mix)
    assert plan.causal
    assert [a.i for a in plan.arrivals] == list(range(len(plan)))
    assert (np.diff(plan.due_s) >= 0).all()
    for session in by_session(plan).values():
        own = {a.i: a for a in session}
        assert [a.i for a in session if not a.after] == [session[0].i], "one first request"
        for a in session:
            assert all(own[j].i < a.i for j in a.after)
            earliest = max((own[j].due_s for j in a.after), default=a.due_s - a.think_s)
            assert a.due_s == pytest.approx(earliest + a.think_s, abs=5e-6)
            assert a.phase == session[0].phase
            assert a.quotes == -1 or a.quotes in own
        assert sorted(a.turn for a in session) == list(range(len(session)))


@pytest.mark.parametrize(("scenario", "mix"), WITH_SESSIONS)
def test_a_prompt_is_its_history_and_more_and_fits(scenario: str, mix: Mix) -> None:
    """The history is prompt and answer of what it quotes; nothing is longer than the context allows."""
    plan = made(scenario, mix)
    for a in plan.arrivals:
        if a.quotes >= 0:
            said = plan.arrivals[a.quotes]
            assert a.prompt_tokens > said.prompt_tokens + said.output_tokens
        assert a.prompt_tokens <= mix.max_prompt_tokens


@pytest.mark.parametrize(("scenario", "mix"), WITH_SESSIONS)
def test_it_is_data(scenario: str, mix: Mix, tmp_path: Path) -> None:
    """Same seed, same hash; a file holds all of it; two workers have it between them, each session whole."""
    plan = made(scenario, mix)
    assert plan.hash == made(scenario, mix).hash != made(scenario, mix, seed=6).hash
    plan.save(tmp_path / "plan.json")
    assert plans.load(tmp_path / "plan.json") == plan
    shares = [plan.share(k, 2).arrivals for k in range(2)]
    assert sorted(a.i for share in shares for a in share) == list(range(len(plan)))
    for share in shares:
        numbers = {a.i for a in share}
        assert all(numbers.issuperset(a.after) for a in share)


@pytest.mark.parametrize(("scenario", "mix"), WITH_SESSIONS)
def test_the_rate_is_that_of_requests(scenario: str, mix: Mix) -> None:
    """As many requests a second as the flag says, also where contexts cut sessions, within 5 standard errors
    of the sessions' number and sizes."""
    plan = made(scenario, mix, seconds=3000.0)
    sizes = [len(s) for s in by_session(plan).values() if s[0].phase == "measure"]
    alone = sum(a.session < 0 and a.phase == "measure" for a in plan.arrivals)
    error = np.sqrt(alone + float(np.square(sizes, dtype=float).sum())) / 3000.0
    assert plan.offered("measure") / 3000.0 == pytest.approx(10.0, abs=5 * error)


def test_tool_loops_are_drawn_as_asked() -> None:
    """Mean messages, calls and pauses, within 5 standard errors of geometric and exponential laws."""
    plan = made("constant", LOOPS, seconds=4000.0)
    sessions = list(by_session(plan).values())
    rows = [a for s in sessions for a in s]
    messages = [sum(a.role == "user" for a in s) for s in sessions]
    calls = sum(a.role == "tool" for a in rows)
    assert np.mean(messages) == pytest.approx(2.0, abs=5 * np.sqrt(2 / len(sessions)))
    assert calls / sum(messages) == pytest.approx(2.0, abs=5 * np.sqrt(6 / sum(messages)))
    tools = [a.think_s for a in rows if a.role == "tool"]
    pauses = [a.think_s for a in rows if a.role == "user" and a.after]
    assert np.mean(tools) == pytest.approx(1.0, rel=5 / np.sqrt(len(tools)))
    assert np.mean(pauses) == pytest.approx(3.0, rel=5 / np.sqrt(len(pauses)))


def test_branches_are_side_by_side() -> None:
    """Each call sends three requests after one answer, with prompts of their own; its result awaits all."""
    plan = made("sustained", BRANCHING)
    results = [a for a in plan.arrivals if a.role == "tool"]
    assert results
    for result in results:
        branches = [plan.arrivals[j] for j in result.after]
        assert len(branches) == 3
        assert {branch.after for branch in branches} == {(result.quotes,)}
        assert all((branch.quotes, branch.prompt_tokens) == (-1, 100) for branch in branches)


def test_sessions_go_on_to_begin_after_the_window() -> None:
    """For as long as the warm-up, in a phase of their own, which no number of the measured one holds."""
    plan = made("sustained", LOOPS)
    begins = {a.phase: [] for a in plan.arrivals}  # type: dict[str, list[float]]
    for session in by_session(plan).values():
        begins[session[0].phase].append(session[0].due_s)
    assert list(begins) == ["warm_up", "measure", "cool_down"]
    for phase, starts_s in begins.items():
        low, high = plan.phase_s(phase)
        assert low <= min(starts_s) <= max(starts_s) < high
    assert plan.phase_s("cool_down") == (230.0, 260.0)


def test_a_late_begin_leaves_whole_sessions() -> None:
    """The measured ones are the same; of those before, none without its first request."""
    plan = made("sustained", LOOPS)
    late = begun_late(plan, 10.0)

    def measured(one: Plan) -> list[tuple[object, ...]]:
        return [(*a[3:9], len(a.after), a.think_s) for a in one.arrivals if a.phase == "measure"]

    assert measured(late) == measured(plan)
    assert plans.from_bytes(late.to_bytes()) == late
    for session in by_session(late).values():
        assert sum(not a.after for a in session) == 1


def test_a_class_of_sessions_is_the_same_beside_others() -> None:
    """An agent's requests do not depend on who chats meanwhile."""

    def agents(mix: str) -> Sequence[tuple[object, ...]]:
        plan = plans.make("sustained", 10.0, 5.0, 60.0, 1, Mix(classes=parse_mix(mix)))
        own = [a for a in plan.arrivals if a.cls == "agent"]
        place = {a.i: k for k, a in enumerate(own)}
        return [(*a[1:7], tuple(place[j] for j in a.after), place.get(a.quotes, -1)) for a in own]

    assert agents("chat:0.5,agent:0.5") == agents("code:0.5,agent:0.5") != []


def test_plans_of_earlier_versions_keep_their_hash(tmp_path: Path) -> None:
    """Columns that say nothing are not in the file, and a file without them is read."""
    plan = plans.make("sustained", 10.0, 5.0, 30.0, 1)
    plan.save(tmp_path / "plan.json")
    stored = json.loads((tmp_path / "plan.json").read_text())
    assert not {"after", "quotes", "role"} & stored["arrivals"].keys()
    assert not {"tool_calls", "branches"} & stored["params"].keys()
    assert plans.load(tmp_path / "plan.json") == plan


def test_a_closed_loop_has_no_sessions() -> None:
    """Its users ask one thing after another as it is."""
    for mix in (LOOPS, Mix(workload="agent")):
        assert {a.session for a in plans.make("closed", 1.0, 0.0, 5.0, 0, mix).arrivals} == {-1}
    assert [name for name, scenario in SCENARIOS.items() if scenario.sessions] == ["agents"]
