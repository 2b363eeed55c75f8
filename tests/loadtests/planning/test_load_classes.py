"""Load classes: how they are typed, and how a plan mixes them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.bounds import WrongValueError
from loadtests.planning import plan as plans
from loadtests.planning.arrival import Arrival
from loadtests.planning.load_class import LoadClass, mix_text, parse_mix
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.slo import SLO

TWO = "short=64x24:0.9@alice/interactive,agent-long:0.1@bob"
BEFORE = {
    ("sustained", Mix()): "06eeb1a406cd62502bddaa146a191d5f31cd2c1e0611013741922bdf768b72ce",
    (
        "burst",
        Mix(workload="servegen-mix", prefix_groups=3, prefix_tokens=16),
    ): "0f8c85b0d5c6913857e2db5612d1970d9fd312fb5b2f4cb815acc09fa5915b83",
    ("closed", Mix(cancel_rate=0.2)): "baf22c70cd863ffacf62acfa20b154bda618edb19757922ce894d21e70e43859",
    ("retry-storm", Mix(workload="code")): "9acabf0609ecaef63280be22d58c03fa660fae782560525b67be1b135b4a29a1",
}
"""Hashes of plans of 4 requests a second, 2 + 10 s, seed 7, from before there were load classes."""


def mixed(text: str = TWO, scenario: str = "sustained", seed: int = 3, **more: object) -> Plan:
    mix = Mix(classes=parse_mix(text), **more)  # type: ignore[arg-type]
    return plans.make(scenario, 20.0, 5.0, 60.0, seed, mix)


def of(plan: Plan, name: str) -> list[Arrival]:
    """Its arrivals without their numbers, which depend on the others."""
    return [arrival._replace(i=0) for arrival in plan.arrivals if arrival.cls == name]


@pytest.mark.parametrize(("asked", "digest"), BEFORE.items(), ids=lambda value: str(value)[:40])
def test_a_plan_without_classes_is_what_it_always_was(asked: tuple[str, Mix], digest: str) -> None:
    """Byte for byte: whoever names no mix can compare with yesterday's runs."""
    assert plans.make(asked[0], 4.0, 2.0, 10.0, 7, asked[1]).hash == digest


def test_what_is_typed_is_what_is_planned() -> None:
    """Name, share, workload and lane of each class, and the same text again."""
    first, second = parse_mix(TWO)
    assert first == LoadClass("short", 0.9, "64x24", "alice", "interactive")
    assert second == LoadClass("agent-long", 0.1, "agent-long", "bob")
    assert mix_text((first, second)) == TWO
    assert first.lane_headers == {"x-headroom-tenant": "alice", "x-headroom-class": "interactive"}
    assert parse_mix("a=1x1:1@/batch")[0].lane_headers == {"x-headroom-class": "batch"}
    assert parse_mix("") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chat:0.9", "sum to 0.9"),
        ("chat:0.9,agent-long:0.2", "sum to 1.1"),
        ("chat:0.5,chat:0.5", "given twice"),
        ("chat:0,code:1", "above 0"),
        ("hello:1", "PROMPTxOUTPUT"),
        ("a=0x5:1", "PROMPTxOUTPUT"),
        ("chat", "write NAME:SHARE"),
        ("chat:much", "write NAME:SHARE"),
        ("chat:1..0", "write NAME:SHARE"),
        ("cha t:1", "write NAME:SHARE"),
        ("chat:1@alice\r\nx-evil: 1", "write NAME:SHARE"),
    ],
)
def test_a_mix_that_cannot_be_is_refused_in_one_sentence(text: str, said: str) -> None:
    """Shares that miss 1 are a mistake, not a unit; a lane is a header and must not break out of it."""
    with pytest.raises(WrongValueError, match=said) as error:
        parse_mix(text)
    assert error.value.name == "mix"
    assert "\n" not in str(error.value)


def test_thirds_may_be_typed_with_two_digits() -> None:
    """0.33 three times is meant to be 1, and is scaled to it."""
    found = parse_mix("a=1x1:0.33,b=1x1:0.33,c=1x1:0.33")
    assert sum(one.share for one in found) == pytest.approx(1.0, abs=1e-12)


def test_each_class_has_its_share_of_the_requests_and_its_lengths() -> None:
    """Of 1,300 Poisson arrivals 90 % are of the first class, within 4 standard errors."""
    plan = mixed()
    counts = Counter(arrival.cls for arrival in plan.arrivals)
    n = len(plan)
    assert counts["short"] / n == pytest.approx(0.9, abs=4 * (0.9 * 0.1 / n) ** 0.5)
    assert {(a.prompt_tokens, a.output_tokens) for a in of(plan, "short")} == {(64, 24)}
    assert {a.output_tokens for a in of(plan, "agent-long")} == {182}
    assert [a.due_s for a in plan.arrivals] == sorted(a.due_s for a in plan.arrivals)
    assert [a.i for a in plan.arrivals] == list(range(n))


@pytest.mark.parametrize("scenario", ["sustained", "burst", "on-off"])
def test_a_class_is_the_same_whatever_is_sent_beside_it(scenario: str) -> None:
    """So that its numbers alone and beside a neighbour are compared on the same requests."""
    alone = plans.make(scenario, 18.0, 5.0, 60.0, 3, Mix(classes=parse_mix("short=64x24:1")))
    beside = of(mixed(scenario=scenario), "short")
    assert beside == of(alone, "short")
    flooded = plans.make(
        scenario, 180.0, 5.0, 60.0, 3, Mix(classes=parse_mix("short=64x24:0.1,flood=32x8:0.9"))
    )
    assert of(flooded, "short") == beside


def test_the_plan_says_its_classes_and_is_another_with_other_lanes(tmp_path: Path) -> None:
    """It is stored with names, shares and lanes; the objective is none of it, since arrivals may be judged by
    another."""
    plan = mixed()
    plan.save(tmp_path / "plan.json")
    loaded = plans.load(tmp_path / "plan.json")
    assert loaded == plan
    assert loaded.hash == plan.hash
    assert [str(one) for one in loaded.header.classes] == TWO.split(",")
    assert plan.header.tokens("prompt_tokens") is None
    judged = Mix(classes=tuple(replace(one, slo=SLO(ttft_s=9.0)) for one in parse_mix(TWO)))
    assert plans.make("sustained", 20.0, 5.0, 60.0, 3, judged).hash == plan.hash
    assert mixed(TWO.replace("@bob", "@carol")).hash != plan.hash
    text = json.loads((tmp_path / "plan.json").read_text())
    text["classes"][0]["tenant"] = "mallory"
    (tmp_path / "plan.json").write_text(json.dumps(text))
    with pytest.raises(ValueError, match="hash does not match"):
        plans.load(tmp_path / "plan.json")


def test_no_two_classes_share_a_session_or_a_prefix() -> None:
    """Their numbers are apart, and turns of a session stay in order."""
    plan = mixed(turns=3.0, prefix_groups=2, prefix_tokens=16)
    owners: dict[tuple[str, int], set[str]] = {}
    turns: dict[int, int] = {}
    for arrival in plan.arrivals:
        owners.setdefault(("session", arrival.session), set()).add(arrival.cls)
        owners.setdefault(("group", arrival.prefix_group), set()).add(arrival.cls)
        assert arrival.turn == turns.get(arrival.session, -1) + 1
        turns[arrival.session] = arrival.turn
    assert all(len(classes) == 1 for classes in owners.values())
    assert len({group for what, group in owners if what == "group"}) == 4


def test_users_of_a_closed_loop_ask_for_each_class_by_its_share() -> None:
    """Nobody is due; the pool holds the classes in a drawn order."""
    plan = plans.make("closed", 1.0, 0.0, 10.0, 1, Mix(classes=parse_mix("a=64x24:0.75,b=32x8:0.25")))
    share = Counter(arrival.cls for arrival in plan.arrivals)["a"] / len(plan)
    assert share == pytest.approx(0.75, abs=0.03)
    assert len({arrival.cls for arrival in plan.arrivals[:20]}) == 2


@given(workers=st.integers(1, 7), seed=st.integers(0, 5))
@settings(max_examples=12, deadline=None)
def test_workers_shares_of_a_mix_are_the_whole(workers: int, seed: int) -> None:
    """Every arrival once, whatever the number of workers, and a session with one of them."""
    plan = plans.make("sustained", 10.0, 0.0, 10.0, seed, Mix(classes=parse_mix(TWO), turns=2.0))
    dealt = [plan.share(place, workers).arrivals for place in range(workers)]
    assert sorted(a.i for own in dealt for a in own) == list(range(len(plan)))
    homes = {(a.session, place) for place, own in enumerate(dealt) for a in own}
    assert len(homes) == len({session for session, _ in homes})
