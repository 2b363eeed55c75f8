"""The plan is data: seeded, hashed, stored, dealt exactly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.planning import plan as plans
from loadtests.planning.arrival import Arrival
from loadtests.planning.mix import Mix
from loadtests.planning.scenarios import SCENARIOS, Shape


def make(seed: int = 0, **mix: object) -> plans.Plan:
    return plans.make("burst", 10.0, 5.0, 30.0, seed, mix=Mix(**mix))  # type: ignore[arg-type]


def test_same_seed_same_hash_and_zero_is_a_seed() -> None:
    """Equal parameters give equal plans; every seed, also 0, its own."""
    assert make(0).hash == make(0).hash
    assert len({make(seed).hash for seed in range(5)}) == 5


def test_other_lengths_leave_the_arrivals_as_they_are() -> None:
    """Paired comparisons need the same times under other lengths."""
    assert (make(prompt_tokens=10).due_s == make(prompt_tokens=500).due_s).all()


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name not in ("trace", "recorded")])
def test_every_scenario_survives_its_file(scenario: str, tmp_path: Path) -> None:
    """What is loaded equals what was saved, hash and all."""
    made = plans.make(scenario, 5.0, 2.0, 20.0, 3, mix=Mix(workload="chat", turns=3, cancel_rate=0.2))
    made.save(tmp_path / "plan.json")
    loaded = plans.load(tmp_path / "plan.json")
    assert loaded == made
    assert loaded.hash == made.hash


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    """A plan that somebody edited must not pass as the one that was measured."""
    path = tmp_path / "plan.json"
    make().save(path)
    document = json.loads(path.read_text())
    document["arrivals"]["due_s"][0] += 0.001
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="hash does not match"):
        plans.load(path)


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("turns", [1.0, 3.0])
def test_shares_are_the_plan(count: int, turns: float) -> None:
    """1, 2 and 5 workers send the same union, each arrival once; a session stays on one worker."""
    made = make(turns=turns, turn_gap_s=0.0)
    shares = [made.share(index, count).arrivals for index in range(count)]
    assert sorted(a for share in shares for a in share) == sorted(made.arrivals)
    owners: dict[int, set[int]] = {}
    for index, share in enumerate(shares):
        for arrival in share:
            owners.setdefault(arrival.session, set()).add(index)
    if turns > 1:
        assert all(len(workers) == 1 for session, workers in owners.items() if session >= 0)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**31))
def test_any_number_of_workers_partitions_any_plan(count: int, seed: int) -> None:
    """The union of the shares has no gap and no double, whatever the number of workers."""
    made = plans.make("sustained", 8.0, 0.0, 5.0, seed)
    dealt = [a.i for index in range(count) for a in made.share(index, count).arrivals]
    assert sorted(dealt) == list(range(len(made)))


def test_shares_of_a_closed_loop_are_users() -> None:
    """Each user belongs to one worker, also where workers outnumber users."""
    made = plans.make("closed", 1.0, 0.0, 5.0, 0, shape=Shape(users=3))
    for count in (1, 2, 5):
        assert sorted(user for place in range(count) for user in made.share(place, count).users) == [0, 1, 2]
    with pytest.raises(ValueError, match="share 2 of 2"):
        made.share(2, 2)


def test_phases_follow_the_due_time() -> None:
    """Due before `warm_up_s` is warm-up, the rest is measured; the counts add up."""
    made = make()
    assert all((a.phase == "warm_up") == (a.due_s < 5.0) for a in made.arrivals)
    assert made.offered("warm_up") + made.offered("measure") == len(made)
    assert made.phase_s("measure") == (5.0, 35.0)


def test_prompt_seeds_are_unique() -> None:
    """No two requests of a plan share their prompt."""
    made = plans.make("sustained", 100.0, 0.0, 100.0, 1)
    assert len({a.prompt_seed for a in made.arrivals}) == len(made)


@pytest.mark.parametrize(
    ("name", "medians"), [("chat", (757, 151)), ("code", (1097, 16)), ("long", (6248, 343))]
)
def test_profiles_have_the_published_medians(name: str, medians: tuple[int, int]) -> None:
    """exp of the published log means, within 6 %."""
    made = plans.make("constant", 50.0, 0.0, 200.0, 2, mix=Mix(workload=name))
    assert np.median([a.prompt_tokens for a in made.arrivals]) == pytest.approx(medians[0], rel=0.06)
    assert np.median([a.output_tokens for a in made.arrivals]) == pytest.approx(medians[1], rel=0.06)


def test_servegen_mix_is_ten_clients_of_zipf_shares() -> None:
    """Ten classes; the first sends about 34 % (1 / the 10th harmonic number)."""
    made = plans.make("sustained", 50.0, 0.0, 400.0, 2, mix=Mix(workload="servegen-mix"))
    counts = {name: sum(a.cls == name for a in made.arrivals) for name in {a.cls for a in made.arrivals}}
    assert len(counts) == 10
    assert counts["client-0"] / len(made) == pytest.approx(0.341, abs=0.08)


def test_clipping_is_said() -> None:
    """Lengths cut to the model's context are counted in the plan's notes."""
    made = plans.make("constant", 50.0, 0.0, 100.0, 2, mix=Mix(workload="long", max_prompt_tokens=8000))
    assert max(a.prompt_tokens for a in made.arrivals) == 8000
    assert any("prompt lengths were clipped (limit 8000" in note for note in made.header.notes)


def test_a_turn_carries_its_history() -> None:
    """A prompt is longer than the last prompt and answer of its session together; turns count up from 0, each
    after the answer to the one before it."""
    made = make(turns=4, turn_gap_s=0.5)
    last: dict[int, Arrival] = {}
    longest = 0
    for a in made.arrivals:
        before = last.get(a.session)
        assert a.turn == (0 if before is None else before.turn + 1)
        if before is not None:
            assert (a.after, a.quotes) == ((before.i,), before.i)
            assert a.due_s == pytest.approx(before.due_s + a.think_s, abs=2e-6)
            assert a.prompt_tokens == before.prompt_tokens + before.output_tokens + 256
        last[a.session] = a
        longest = max(longest, a.turn)
    assert longest >= 2


def test_cancellations_have_the_asked_share() -> None:
    """`cancel_rate` of the clients hang up, after `cancel_after_s` on average."""
    made = plans.make("constant", 50.0, 0.0, 100.0, 2, mix=Mix(cancel_rate=0.3, cancel_after_s=2.0))
    after = np.array([a.cancel_after_s for a in made.arrivals])
    assert np.mean(after > 0) == pytest.approx(0.3, abs=0.03)
    assert after[after > 0].mean() == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"scenario": "sustaned"}, "scenario = 'sustaned': must be one of"),
        ({"rate_per_s": 0.0}, "rate_per_s = 0.0: must be > 0"),
        ({"rate_per_s": float("nan")}, "rate_per_s = nan"),
        ({"measure_s": -1.0}, "measure_s = -1.0: must be > 0"),
        ({"seed": -1}, "seed = -1"),
        ({"mix": Mix(output_tokens=0)}, "output_tokens = 0: must be >= 1"),
        ({"shape": Shape(factor=0.5)}, "factor = 0.5"),
    ],
)
def test_wrong_plans_are_refused_by_name(change: dict[str, object], named: str) -> None:
    """The sentence names the parameter, its value and what is allowed."""
    given: dict[str, object] = {
        "scenario": "burst", "rate_per_s": 1.0, "warm_up_s": 0.0, "measure_s": 5.0, "seed": 1, **change
    }  # fmt: skip
    with pytest.raises(ValueError, match=named.replace("(", r"\(")):
        plans.make(**given)  # type: ignore[arg-type]
