"""Lanes in the twin: the gateway's own core shares the modelled engine."""

from dataclasses import replace

import pytest

from experiments.twin.capacity import Planned
from experiments.twin.predicted import Predictor, measures, measures_by_lane, of_class
from experiments.twin.profile import EXACT
from experiments.twin.simulate import Core, Offered, Player, simulate
from experiments.twin.simulated import Sender
from gateway.lane import NO_LANES, Lane, Lanes, PriorityClass
from gateway.limits import Limits, QueueOrder, SlotCost
from loadtests.planning import plan
from loadtests.planning.load_class import parse_mix
from loadtests.planning.mix import Mix
from loadtests.slo import SLO

RANKED = Lanes((PriorityClass("urgent"), PriorityClass("batch")), (Lane("a", "urgent"), Lane("b", "batch")))
URGENT, BATCH = Sender("a/urgent"), Sender("b/batch")
ONE = Limits(max_active=1)


def arrivals(*prompts: int) -> list[Planned]:
    return [Planned(0.01 * k, tokens, 10) for k, tokens in enumerate(prompts)]


def test_the_urgent_one_goes_first() -> None:
    """Each takes 0.1 s of the engine; the one that runs is not interrupted."""
    offered = Offered(arrivals(5, 5, 5, 5), [BATCH, BATCH, BATCH, URGENT], RANKED)
    done = simulate(offered, EXACT, ONE)
    assert done.granted_s.tolist() == pytest.approx([0.0, 0.2, 0.3, 0.1])


def test_lanes_are_played_in_python_and_the_player_says_so() -> None:
    """Also where the compiled core is asked for; without lanes the senders change nothing."""
    player = Player(Core.COMPILED)
    senders = [BATCH, BATCH, BATCH, URGENT]
    shared = player.simulate(Offered(arrivals(5, 5, 5, 5), senders, RANKED), EXACT, ONE)
    plain = player.simulate(Offered(arrivals(5, 5, 5, 5), senders), EXACT, ONE)
    assert (shared.compiled, plain.compiled) == (False, True)
    assert plain.granted_s.tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3])
    said = "1 simulations in the compiled core, 1 in Python (1 of them with lanes or a budget of"
    said += " tokens, which only Python plays)"
    assert str(player) == said


def test_who_is_refused_for_a_lane_is_told_why() -> None:
    """Over its tokens per minute, over its places, and out of a full queue for a lane with less than its
    share, at once.
    """
    lanes = Lanes(
        (PriorityClass("c"),), (Lane("a", "c"), Lane("b", "c"), Lane("poor", "c", tokens_per_min=20.0))
    )
    senders = [Sender(name) for name in ("a/c", "poor/c", "poor/c", "a/c", "a/c", "b/c")]
    limits = Limits(max_active=1, queue_max=3, queue_order=QueueOrder.FAIR)
    done = simulate(Offered(arrivals(5, 15, 5, 5, 5, 5), senders, lanes), EXACT, limits)
    assert done.outcome == ("ok", "ok", "over_budget", "ok", "rejected_full", "ok")


def test_who_is_due_first_goes_first() -> None:
    """`edf` reads within how many seconds a sender wants to be served."""
    senders = [Sender(within_s=span_s) for span_s in (9.0, 5.0, 0.3)]
    done = simulate(
        Offered(arrivals(5, 5, 5), senders), EXACT, Limits(max_active=1, queue_order=QueueOrder.EDF)
    )
    assert done.granted_s.tolist() == pytest.approx([0.0, 0.2, 0.1])


def test_each_lane_has_measures_of_its_own() -> None:
    """Together they are those of all."""
    trace = plan.make("sustained", 2.0, 0, 30, 1)
    senders = [(URGENT, BATCH)[k % 3 > 0] for k in range(len(trace.arrivals))]
    done = simulate(Offered(trace.arrivals, senders, RANKED), EXACT, ONE)
    slo = SLO.parse("ttft<=1s")
    by_lane, both = measures_by_lane(trace, senders, done, slo), measures(trace, done, slo)
    assert set(by_lane) == {"a/urgent", "b/batch"}
    assert sum(each["goodput_per_s"] for each in by_lane.values()) == pytest.approx(both["goodput_per_s"])
    assert by_lane["a/urgent"]["queue_p95_s"] < by_lane["b/batch"]["queue_p95_s"]


def test_slots_in_tokens_keep_the_cache_from_overflowing() -> None:
    """Where slots of requests make the engine preempt, those of tokens do not, and one request that is larger
    than the budget runs alone.
    """
    small = EXACT.model_copy(update={"num_gpu_blocks": 8, "block_size": 16})
    crowd = [Planned(0.0, 30, 30) for _ in range(4)]
    slots = simulate(crowd, small, Limits(max_active=4))
    tokens = simulate(Offered(crowd, budget=128.0), small, Limits(max_active=4))
    assert (slots.preemptions > 0, tokens.preemptions, tokens.peak_active) == (True, 0, 2)
    assert set(tokens.outcome) == {"ok"}
    alone = simulate(Offered([*crowd[:1], Planned(0.0, 60, 60), *crowd[1:]], budget=100.0), small, Limits())
    assert alone.granted_s[1] == alone.last_s[0] < alone.last_s[1] == alone.granted_s[2]


def test_a_matrix_is_played_through_its_lanes() -> None:
    """The predictor shares what the lanes share, keeps their runs apart, and bounds slots in tokens by the
    engine's own cache.
    """
    mix = parse_mix("person=5x5:0.3@a/urgent,crowd=5x5:0.7@b/batch")
    trace = plan.make("sustained", 28.0, 0, 30, 1, mix=Mix(classes=mix))
    slo = SLO.parse("ttft<=1s").for_classes(["person", "crowd"], {})
    predictor = Predictor([trace], [EXACT], slo)
    limits = Limits(max_active=1, queue_order=QueueOrder.FAIR)
    alike, ranked = (predictor.runs(limits, lanes) for lanes in (NO_LANES, RANKED))
    assert predictor.simulated == 2
    assert ranked[of_class("person")][0] == 1.0 > alike[of_class("person")][0]
    assert predictor.runs(limits, RANKED)[of_class("person")] == ranked[of_class("person")]
    assert predictor.simulated == 2
    small = EXACT.model_copy(update={"num_gpu_blocks": 2, "block_size": 16})
    crowd = [Planned(0.0, 10, 10) for _ in range(4)]
    wide = Limits(max_active=4)
    assert simulate(crowd, small, wide).peak_active == 4
    assert simulate(crowd, small, replace(wide, slot_cost=SlotCost.TOKENS)).peak_active == 1


def test_a_lane_says_when_its_requests_are_due() -> None:
    """`edf` goes by it, inside a class."""
    lanes = Lanes((PriorityClass("c"),), (Lane("slow", "c", within_s=9.0), Lane("quick", "c", within_s=0.3)))
    mix = Mix(classes=parse_mix("slow=5x5:0.5@slow,quick=5x5:0.5@quick"))
    trace = plan.make("sustained", 26.0, 0, 30, 1, mix=mix)
    slo = SLO.parse("ttft<=9s").for_classes(["slow", "quick"], {"quick": SLO.parse("ttft<=0.3s")})
    due, first = (
        Predictor([trace], [EXACT], slo).runs(Limits(max_active=1, queue_order=order), lanes)
        for order in (QueueOrder.EDF, QueueOrder.FIFO)
    )
    assert due[of_class("quick")][0] > first[of_class("quick")][0] + 0.2


def test_a_sender_for_each_arrival() -> None:
    with pytest.raises(ValueError, match="1 senders for 2 arrivals"):
        Offered(arrivals(5, 5), [URGENT], NO_LANES)
