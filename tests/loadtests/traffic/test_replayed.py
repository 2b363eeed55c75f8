"""Recorded traffic as a plan: as it was, thinner, denser; always data."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.planning.prompts import ONE_EACH
from loadtests.sending.bodies import Bodies
from loadtests.traffic import recorded, replayed
from loadtests.traffic.density import Method, density
from loadtests.traffic.recorded import Recorded
from loadtests.traffic.replayed import Stretch
from loadtests.traffic.segments import TrafficError
from tests.loadtests.traffic.made_traffic import Made, begins, shared, traffic

HOUR = Stretch(0.0, 3600.0)


def of(*rows: Made) -> Recorded:
    return recorded.of(traffic(rows), "r")


def bursty(n: int, seed: int, span_s: float = 3600.0) -> Recorded:
    """Gamma gaps of CV 2, two lanes, conversations of three turns, lognormal lengths, four system prompts of
    which half of the requests have one."""
    rng = np.random.default_rng(seed)
    at_s = np.cumsum(rng.gamma(0.25, 4.0, n))
    at_s *= span_s / at_s[-1]
    turns: Counter[int] = Counter()
    rows = []
    for i, when_s in enumerate(at_s.tolist()):
        lane = "alice/chat" if rng.random() < 0.7 else "bob/batch"
        session, tokens = "", int(np.exp(rng.normal(5.5, 0.8))) + 260
        if lane == "alice/chat":
            number = i % (n // 4)
            turns[number] += 1
            session, tokens = f"s{number}", 300 * turns[number]
        system = f"p{rng.integers(4)}" if rng.random() < 0.5 and not session else f"own{i}"
        prefix = shared(system, 1000, f"o{i}-", 4 * tokens)
        rows.append(
            Made(
                when_s,
                tokens,
                int(np.exp(rng.normal(4, 0.6))) + 1,
                lane,
                session,
                bytes_=4 * tokens,
                prefix=prefix,
            )
        )
    return of(*rows)


def gaps_cv(due_s: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    gaps_s = np.diff(due_s)
    return float(gaps_s.std() / gaps_s.mean())


def test_as_recorded_is_as_recorded() -> None:
    """Due times, lengths, lanes as load classes, who left when, and sessions by their turns; the same plan
    each time, also from its file."""
    found = of(
        Made(0.0, 100, 20, "alice/chat", "one", prefix=begins("a", 400)),
        Made(2.0, 50, 5, "bob/batch"),
        Made(3.5, 130, 8, "alice/chat", "one"),
        Made(7.0, 60, -1, "bob/batch", outcome="client_abort", finished_s=1.25, max_tokens=9),
    )
    plan = replayed.plan(found, 1.0, Stretch(2.0, 6.0), 3)
    assert plan.due_s.tolist() == [0.0, 2.0, 3.5, 7.0]
    assert [a.phase for a in plan.arrivals] == ["warm_up", "measure", "measure", "measure"]
    assert [(a.prompt_tokens, a.output_tokens) for a in plan.arrivals[:3]] == [(100, 20), (50, 5), (130, 8)]
    assert plan.arrivals[3].output_tokens <= 9
    assert [a.cancel_after_s for a in plan.arrivals] == [0, 0, 0, 1.25]
    assert [(a.session, a.turn) for a in plan.arrivals] == [(0, 0), (-1, 0), (0, 1), (-1, 0)]
    assert [(one.name, one.share, one.tenant, one.priority_class) for one in plan.header.classes] == [
        ("alice.chat", 0.5, "alice", "chat"), ("bob.batch", 0.5, "bob", "batch"),
    ]  # fmt: skip
    assert plan.hash == replayed.plan(found, 1.0, Stretch(2.0, 6.0), 3).hash
    assert plans.from_bytes(plan.to_bytes()) == plan


def test_an_answer_whose_client_left_is_one_that_takes_longer() -> None:
    """Of its own lane; what was refused has one of any length; nobody gets more than was asked for."""
    short = [Made(float(k), output_tokens=10, lane="a/x", finished_s=1.0) for k in range(50)]
    long = [Made(50.0 + k, output_tokens=100, lane="a/x", finished_s=10.0) for k in range(50)]
    other = [Made(100.0 + k, output_tokens=7, lane="b/x", finished_s=99.0) for k in range(5)]
    left = [
        Made(200.0 + k, output_tokens=-1, lane="a/x", outcome="client_abort", finished_s=3.0)
        for k in range(9)
    ]
    refused = [
        Made(300.0 + k, output_tokens=-1, lane="a/x", outcome="rejected_full", status=429, finished_s=0.0)
        for k in range(40)
    ]
    bounded = [
        Made(400.0, output_tokens=-1, lane="a/x", outcome="client_abort", finished_s=3.0, max_tokens=40)
    ]
    found = of(*short, *long, *other, *left, *refused, *bounded)
    assert set(found.output_tokens[105:114].tolist()) == {100}
    assert set(found.output_tokens[114:154].tolist()) == {10, 100}
    assert found.output_tokens[154] == 40
    assert np.flatnonzero(found.leave_s).tolist() == [*range(105, 114), 154]


def test_what_no_engine_would_have_answered_is_left_out() -> None:
    """Mistakes of clients; a recording of nothing else is told."""
    faulty = Made(1.0, -1, -1, outcome="invalid", status=400)
    found = of(Made(0.0), faulty, Made(2.0))
    assert found.arrival_s.tolist() == [0.0, 2.0]
    assert "1 requests that were none" in found.notes[0]
    with pytest.raises(TrafficError, match="no request whose lengths are known"):
        of(faulty)


def test_a_session_goes_on_only_where_its_prompt_does() -> None:
    """One that is shorter, or begins otherwise, opens another conversation."""
    grows = [
        Made(k, size // 4, 10, session="s", bytes_=size, prefix=begins("a", size))
        for k, size in enumerate((1600, 3200, 4800))
    ]
    other = Made(5.0, 2000, 10, session="s", bytes_=8000, prefix=begins("b", 8000))
    shorter = Made(6.0, 300, 10, session="s", bytes_=1200, prefix=begins("b", 1200))
    assert of(*grows, other, shorter).conversation.tolist() == [0, 0, 0, 1, 2]


@pytest.mark.parametrize("system_bytes", [600, 1000, 1900, 3000, 6000])
def test_prompts_begin_alike_as_far_as_recorded(system_bytes: int) -> None:
    """Hashes say that a system prompt has between 512 and 1023 bytes; the shortest prompts say the rest."""
    rng = np.random.default_rng(system_bytes)
    own = np.exp(rng.normal(5.5, 0.9, 60)).astype(int) + 20
    rows = [
        Made(float(i), (system_bytes + extra) // 4, 10, bytes_=system_bytes + extra,
             prefix=shared("system", system_bytes, f"own{i}-", system_bytes + extra))
        for i, extra in enumerate(own.tolist())
    ]  # fmt: skip
    alone = Made(100.0, 1000, 10, bytes_=4000, prefix=begins("alone", 4000))
    found = of(*rows, alone)
    ends = {chain[-1] for chain in found.prefixes[:-1]}
    assert len(ends) == 1
    ((_, tokens),) = ends
    assert tokens == pytest.approx(system_bytes / 4, rel=0.08)
    assert found.prefixes[-1] == ()


def test_text_begins_alike_where_the_plan_says_so() -> None:
    """A tree: one text for all, one for some of them; never in two runs of another salt."""
    rows = [
        Made(float(i), 1000, 10, bytes_=4000, prefix=["all0", f"half{i % 2}", f"own{i}", f"own{i}x"])
        for i in range(8)
    ]  # fmt: skip
    plan = replayed.plan(of(*rows), 1.0, Stretch(0.0, 60.0), 1)
    bodies = Bodies("m", ONE_EACH, salt="s", chunk_usage=False, plan=plan.arrivals)
    words = [bodies.take(arrival).split(b'"content":"')[1].split() for arrival in plan.arrivals]

    def common(a: int, b: int) -> int:
        return next(k for k, (x, y) in enumerate(zip(words[a], words[b], strict=True)) if x != y)

    (_, first), (_, second) = plan.arrivals[0].prefixes
    assert first <= common(0, 1) <= first + 6
    assert second <= common(0, 2) <= second + 6
    assert 128 < first < 256 < second < 512
    assert all(len(one) >= 1000 for one in words)


def test_prompts_begin_alike_also_where_nobody_counted_their_tokens() -> None:
    """Those of one system prompt were all refused: they have as many tokens a byte as the others."""
    refused = [
        Made(
            float(k), -1, -1, outcome="queue_timeout", status=429, bytes_=1000 + k, prefix=["all0", f"own{k}"]
        )
        for k in range(9)
    ]
    found = of(*refused, *(Made(20.0 + k, 110 + 25 * k, 10, bytes_=400 + 100 * k) for k in range(9)))
    assert len({chain[-1] for chain in found.prefixes[:9]}) == 1
    assert 512 / 4 <= found.prefixes[0][-1][1] <= 1024 / 4
    assert found.prompt_tokens[:9].tolist() == pytest.approx([260] * 9, abs=3)


def test_a_conversation_that_nobody_named() -> None:
    """Each turn begins with the whole of the one before, also where no hash ends at its end."""
    sizes = [800, 1500, 2600, 5000]
    rows = [
        Made(float(k), size // 4, 10, bytes_=size, prefix=begins("talk", size))
        for k, size in enumerate(sizes)
    ]
    plan = replayed.plan(of(*rows), 1.0, Stretch(0.0, 4.0), 1)
    bodies = Bodies("m", ONE_EACH, salt="s", chunk_usage=False, plan=plan.arrivals)
    words = [bodies.take(arrival).split(b'"content":"')[1].split() for arrival in plan.arrivals]
    for before, after in pairwise(words):
        shared_words = sum(a == b for a, b in zip(before, after, strict=False))
        assert shared_words >= 0.75 * len(before)


@pytest.mark.parametrize("factor", [0.3, 0.6, 0.9, 1.2, 1.7, 2.0, 3.4])
def test_the_rate_lanes_and_lengths_are_kept(factor: float) -> None:
    """Whatever the method: the rate is what was asked for; lane shares, lengths and the share of what had
    been there before stay."""
    found = bursty(4000, 1)
    plan = replayed.plan(found, factor, HOUR, 5)
    assert len(plan) / 3600 == pytest.approx(factor * found.rate_per_s, rel=0.02)
    lanes = {one.name: one.share for one in found.classes()}
    assert {one.name: one.share for one in plan.header.classes} == pytest.approx(lanes, abs=0.02)
    for side in ("prompt_tokens", "output_tokens"):
        wanted = np.quantile(getattr(found, side), (0.1, 0.5, 0.9))
        assert np.quantile([getattr(a, side) for a in plan.arrivals], (0.1, 0.5, 0.9)) == pytest.approx(
            wanted, rel=0.08
        )
    assert _seen_before(plan) == pytest.approx(_seen_before(replayed.plan(found, 1.0, HOUR, 5)), abs=0.03)


def _seen_before(plan: plans.Plan) -> float:
    """Share of prompt tokens that a cache that holds all had met: shared prefixes and histories."""
    known: set[int] = set()
    histories: dict[int, int] = {}
    hit = 0
    for arrival in plan.arrivals:
        if arrival.turn:
            hit += histories[arrival.session]
        else:
            hit += max((tokens for node, tokens in arrival.prefixes if node in known), default=0)
            known.update(node for node, _ in arrival.prefixes)
        histories[arrival.session] = arrival.prompt_tokens
    return hit / sum(a.prompt_tokens for a in plan.arrivals)


def test_how_bursts_fare() -> None:
    """A warp keeps the variation of the gaps; who is left out and who is added make arrivals more like those
    of many who know nothing of each other."""
    found = bursty(6000, 2)
    before = gaps_cv(found.arrival_s)
    warped, thinned, overlaid = (
        gaps_cv(replayed.plan(found, factor, HOUR, 5).due_s) for factor in (0.9, 0.4, 3.0)
    )
    assert warped == pytest.approx(before, rel=0.01)
    assert 1.0 < thinned < before
    assert 1.0 < overlaid < before
    # A thinned renewal process: CV² = share · CV² + 1 − share.
    assert thinned**2 == pytest.approx(0.4 * before**2 + 0.6, rel=0.1)


def test_thinning_keeps_conversations_whole() -> None:
    found = bursty(4000, 3)
    made = density(found, 0.5, 3600.0, 1)
    assert made.method is Method.THIN
    kept = set(found.conversation[made.layers[0].rows].tolist()) - {-1}
    left_out = set(found.conversation[~made.layers[0].rows].tolist()) - {-1}
    assert kept
    assert not kept & left_out


def test_layers_are_other_parts_and_other_people() -> None:
    """While the recording is long enough no request is played twice at once, and no conversation in two
    layers; mornings lie over mornings where there are days."""
    found = bursty(4000, 4)
    plan = replayed.plan(found, 3.0, Stretch(0.0, 900.0), 1)
    seeds = [(a.prompt_tokens, a.output_tokens, a.cls) for a in plan.arrivals]
    assert len(plan) == pytest.approx(3 * 4000 / 4, rel=0.06)
    of_session: dict[int, list[int]] = {}
    for arrival in plan.arrivals:
        if arrival.session >= 0:
            of_session.setdefault(arrival.session, []).append(arrival.turn)
    assert all(turns == list(range(len(turns))) for turns in of_session.values())
    assert len(seeds) == len(plan)
    days = of(*(Made(3600.0 * k) for k in range(24 * 4)))
    assert [layer.shift_s for layer in density(days, 2.0, 3600.0, 1).layers] == [0.0, 2 * 86_400.0]


def test_blocks_are_stretches_one_after_the_other() -> None:
    """Each its own part; through the end it goes on with the begin, and says where parts come again."""
    found = of(*(Made(float(k), 100 + k) for k in range(100)))
    first, second = (replayed.plan(found, 1.0, Stretch(0.0, 30.0, k), 1) for k in range(2))
    assert [a.prompt_tokens for a in first.arrivals] == list(range(100, 130))
    assert [a.prompt_tokens for a in second.arrivals] == list(range(130, 160))
    over_the_end = replayed.plan(found, 1.0, Stretch(0.0, 30.0, 3), 1)
    assert [a.prompt_tokens for a in over_the_end.arrivals] == [*range(190, 200), *range(100, 120)]
    assert not any("again" in note for note in over_the_end.header.notes)
    whole = replayed.plan(found, 1.0, Stretch(0.0, 250.0), 1)
    assert len(whole) == 250
    assert any("parts are played again" in note for note in whole.header.notes)


def test_what_cannot_be_played_is_one_sentence() -> None:
    found = of(Made(0.0), Made(100.0))
    with pytest.raises(TrafficError, match="no request comes within these 5 s"):
        replayed.plan(found, 1.0, Stretch(0.0, 5.0, 3), 1)
    with pytest.raises(TrafficError, match=r"must be 0.001 to 1000 times"):
        replayed.plan(found, 1e5, HOUR, 1)


def test_lengths_stay_within_the_context() -> None:
    found = of(Made(0.0, 5000, 500), Made(1.0, 3000, 2000))
    plan = replayed.plan(found, 1.0, Stretch(0.0, 2.0), 1, Mix(max_prompt_tokens=4000), context_tokens=4096)
    assert [(a.prompt_tokens, a.output_tokens) for a in plan.arrivals] == [(4000, 80), (3000, 1080)]
    assert any("50.0% of the prompt lengths were clipped" in note for note in plan.header.notes)


def test_shares_of_processes_are_the_plan(tmp_path: Path) -> None:
    """Whatever their number; a conversation is sent by one of them."""
    plan = replayed.plan(bursty(500, 5), 1.0, HOUR, 1)
    plan.save(tmp_path / "plan.json")
    again = plans.load(tmp_path / "plan.json")
    dealt = [again.share(place, 3).arrivals for place in range(3)]
    assert sorted(arrival for share in dealt for arrival in share) == list(plan.arrivals)
    owners = [{a.session for a in share if a.session >= 0} for share in dealt]
    assert sum(map(len, owners)) == len(set().union(*owners))
