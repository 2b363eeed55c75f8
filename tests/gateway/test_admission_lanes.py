"""Lanes in the admission core, case by case. Times are virtual seconds."""

import pytest

from gateway.admission import Admission
from gateway.lane import NO_LANES, Lane, Lanes, PriorityClass
from gateway.limits import Limits, QueueOrder
from gateway.ticket import RequestFacts, State, Ticket

TWO = Lanes((PriorityClass("c"),), (Lane("a", "c"), Lane("b", "c")))
RANKED = Lanes((PriorityClass("urgent"), PriorityClass("batch")), (Lane("a", "urgent"), Lane("b", "batch")))


def core(lanes: Lanes, max_active: int = 1, queue_max: int = 100, **limits: object) -> Admission:
    first = Limits.of({"max_active": max_active, "queue_max": queue_max, "queue_order": "fair"} | limits)
    return Admission(first, lanes=lanes)


def offer(
    core: Admission, lane: str, tokens: float = 10.0, now_s: float = 0.0, slots: int = 1, due_s: float = 0.0
) -> Ticket:
    return core.offer(now_s, slots, RequestFacts(lane=lane, cost_tokens=tokens, due_s=due_s), lane)


def served(core: Admission, running: Ticket, now_s: float = 1.0) -> list[object]:
    """Lanes in the order in which one slot serves their waiters."""
    found: list[object] = []
    while granted := core.release(running, now_s).granted:
        (running,) = granted
        found.append(running.owner)
    return found


def test_lanes_go_to_json_and_back() -> None:
    """What `/admin/lanes` shows can be put there again; the version is not part of it."""
    lanes = Lanes((PriorityClass("x", 2), PriorityClass("y")), (Lane("a", "x", 2.0, 4, 20, 600.0),)).after(
        TWO
    )
    again = Lanes.of(lanes.values())
    assert (again.classes, again.lanes) == (lanes.classes, lanes.lanes)
    assert (lanes.version, again.version) == (2, 1)
    assert (lanes.shared, NO_LANES.after(lanes).shared) == (True, False)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"classes": [{"name": "c"}]}, "there is no lane"),
        ({"lanes": []}, "there is no class"),
        ({"classes": [{"name": "c"}, {"name": "c"}], "lanes": []}, "class c is there 2 times"),
        ({"classes": [{"name": ""}], "lanes": []}, "cannot be the name of a priority class"),
        ({"classes": [{"name": "c", "slots_reserved": -1}], "lanes": []}, "slots_reserved=-1"),
        ({"lane": []}, "lane: no such key; allowed: classes, lanes"),
        ({"classes": "c"}, "classes is no list of objects"),
    ],
)
def test_lanes_that_cannot_be_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        Lanes.of(values)


@pytest.mark.parametrize(
    ("lane", "said"),
    [
        ({"tenant": "a/b"}, "cannot be the name of a tenant"),
        ({"priority_class": "d"}, "there is no such class; allowed: c"),
        ({"weight": 0}, "weight=0 is not allowed; allowed: above 0"),
        ({"weight": float("nan")}, "weight=nan is not allowed"),
        ({"slots_max": 0}, "slots_max=0 is not allowed; allowed: 1 or more"),
        ({"queue_max": -1}, "queue_max=-1 is not allowed; allowed: 0 or more"),
        ({"tokens_per_min": 0}, "tokens_per_min=0 is not allowed; allowed: above 0"),
    ],
)
def test_a_lane_that_cannot_be_is_refused(lane: dict[str, object], said: str) -> None:
    values = {"classes": [{"name": "c"}], "lanes": [{"tenant": "a", "priority_class": "c"} | lane]}
    with pytest.raises(ValueError, match=said):
        Lanes.of(values)


def test_the_urgent_class_goes_first_whoever_came_first() -> None:
    """Nothing that runs is interrupted; a freed slot goes to the most urgent waiter."""
    admission = core(RANKED)
    running = offer(admission, "b/batch")
    for lane in ("b/batch", "b/batch", "a/urgent"):
        offer(admission, lane)
    assert running.state is State.RUNNING
    assert served(admission, running) == ["a/urgent", "b/batch", "b/batch"]


def test_tokens_are_shared_not_requests() -> None:
    """Ten short ones weigh as much as one long one; twice the weight, twice the tokens."""
    admission = core(TWO)
    running = offer(admission, "a/c", 100)
    for _ in range(3):
        offer(admission, "a/c", 100)
    for _ in range(25):
        offer(admission, "b/c", 10)
    assert served(admission, running)[:23] == (["b/c"] * 10 + ["a/c"]) * 2 + ["b/c"]

    weighted = core(Lanes(TWO.classes, (Lane("a", "c", 1.0), Lane("b", "c", 2.0))))
    running = offer(weighted, "a/c", 10)
    for lane in ["a/c", "b/c"] * 8:
        offer(weighted, lane, 10)
    order = served(weighted, running)
    assert (order[:9].count("b/c"), order[:9].count("a/c")) == (6, 3)


def test_one_tenant_alone_gets_everything() -> None:
    """All slots and all places, whatever its weight; a slot that somebody may take is taken."""
    admission = core(Lanes(TWO.classes, (Lane("a", "c", 0.01), Lane("b", "c", 100.0))), 4, 3)
    states = [offer(admission, "a/c").state for _ in range(8)]
    assert states == [State.RUNNING] * 4 + [State.WAITING] * 3 + [State.REJECTED_FULL]


def test_a_lane_that_had_nothing_to_send_has_saved_nothing() -> None:
    """After an hour alone `a` and the newcomer `b` take turns."""
    admission = core(TWO)
    running = offer(admission, "a/c")
    for k in range(1, 50):
        offer(admission, "a/c", now_s=float(k))
        (running,) = admission.release(running, float(k)).granted
    for lane in ["a/c", "b/c"] * 3:
        offer(admission, lane, now_s=50.0)
    assert served(admission, running, 60.0) == ["b/c", "a/c", "b/c", "a/c", "b/c", "a/c"]


def test_a_first_request_that_finds_a_free_slot_is_charged_like_any() -> None:
    """`b` has not saved the rounds in which it was away, though it did not have to wait."""
    admission = core(TWO, 2)
    for k in range(50):
        admission.release(offer(admission, "a/c", now_s=float(k)), float(k))
    running = offer(admission, "a/c", now_s=50.0)
    for lane in ["b/c"] + ["a/c", "b/c"] * 2:
        offer(admission, lane, now_s=50.0)
    assert served(admission, running, 60.0) == ["a/c", "b/c", "a/c", "b/c"]


def test_a_cost_that_was_wrong_is_set_right() -> None:
    """Said to cost 10 and cost 40: the others have 30 tokens more before it. Less than said comes back."""
    admission = core(TWO)
    running = offer(admission, "a/c", 10)
    for lane in ["a/c"] * 2 + ["b/c"] * 6:
        offer(admission, lane, 10)
    admission.correct(running, 40, 0.5)
    assert served(admission, running)[:5] == ["b/c", "b/c", "b/c", "b/c", "a/c"]

    again = core(TWO)
    running = offer(again, "a/c", 100)
    for lane in ["a/c"] * 2 + ["b/c"] * 6:
        offer(again, lane, 10)
    again.correct(running, 10, 0.5)
    assert served(again, running)[:3] == ["b/c", "a/c", "b/c"]


def test_costs_that_nobody_knew_are_paid_afterwards() -> None:
    """Each is corrected when it ends: ten short ones for a long one all the same."""
    admission = core(TWO, 2, 1000)
    cost = {"a/c": 100.0, "b/c": 10.0}
    running = [offer(admission, lane, 0.0) for lane in ("a/c", "b/c")]
    for lane in ["a/c"] * 60 + ["b/c"] * 400:
        offer(admission, lane, 0.0)
    for _ in range(300):
        ended = running.pop(0)
        admission.correct(ended, cost[str(ended.owner)], 1.0)
        running += admission.release(ended, 1.0).granted
    a, b = (use.tokens for use in admission.uses)
    assert abs(a - b) <= 2 * 100 + 10


def test_coming_and_leaving_leaves_nothing_behind() -> None:
    """While a slot is held for an hour, others join and leave by the thousand."""
    admission = core(TWO)
    offer(admission, "a/c")
    offer(admission, "a/c")
    for _ in range(5000):
        admission.leave(offer(admission, "b/c"), 0.0)
    assert admission._sharing is not None
    (one,) = admission._sharing._classes
    assert len(one._line) < 100
    assert len(one._long) < 100


def test_a_reserved_slot_is_kept_for_its_class() -> None:
    """It stays free while its class has no use for it, and nobody else waits behind it."""
    lanes = Lanes((PriorityClass("urgent", 1), PriorityClass("batch", 1)), RANKED.lanes)
    admission = core(lanes, 3)
    batch = [offer(admission, "b/batch") for _ in range(3)]
    assert [ticket.state for ticket in batch] == [State.RUNNING, State.RUNNING, State.WAITING]
    urgent = [offer(admission, "a/urgent") for _ in range(2)]
    assert [ticket.state for ticket in urgent] == [State.RUNNING, State.WAITING]
    # The slot that batch gives back is not its reserved one: the urgent one takes it.
    assert admission.release(batch[0], 1.0).granted == [urgent[1]]
    # This one is.
    assert admission.release(batch[1], 2.0).granted == [batch[2]]


def test_more_reserved_slots_than_there_are_are_scaled_down() -> None:
    """Each class can still start a request."""
    lanes = Lanes((PriorityClass("urgent", 6), PriorityClass("batch", 6)), RANKED.lanes)
    for slots in (1, 2, 5):
        assert [offer(core(lanes, slots), lane).state for lane in ("a/urgent", "b/batch")] == [
            State.RUNNING
        ] * 2


def test_a_wide_request_is_waited_for_but_by_reserved_slots() -> None:
    """Nobody overtakes it into the slots it needs, also not from below; a class's own slot stays usable."""
    lanes = Lanes((PriorityClass("urgent"), PriorityClass("batch", 1)), RANKED.lanes)
    admission = core(lanes, 4)
    running = [offer(admission, "a/urgent") for _ in range(2)]
    wide = offer(admission, "a/urgent", slots=3)
    batch = [offer(admission, "b/batch") for _ in range(2)]
    assert (wide.state, batch[0].state, batch[1].state) == (State.WAITING, State.RUNNING, State.WAITING)
    assert admission.release(running[0], 1.0).granted == []
    assert admission.release(running[1], 2.0).granted == [wide]
    assert wide.held == 3


def test_the_bounds_of_a_lane_hold_beside_those_of_all() -> None:
    """Its slots and its places; the others go past it."""
    lanes = Lanes(TWO.classes, (Lane("a", "c", slots_max=1, queue_max=1), Lane("b", "c")))
    admission = core(lanes, 2)
    states = [offer(admission, lane).state for lane in ("a/c", "a/c", "a/c", "b/c")]
    assert states == [State.RUNNING, State.WAITING, State.REJECTED_FULL, State.RUNNING]
    assert [(use.held, use.waiting) for use in admission.uses] == [(1, 1), (1, 0)]


def test_a_full_queue_has_a_place_for_who_has_less_than_its_share() -> None:
    """The newest of the longest lane gives way, and its waiter hears of it by the next `expire`."""
    admission = core(TWO, 1, 4)
    flood = [offer(admission, "a/c", now_s=float(k)) for k in range(6)]
    assert flood[5].state is State.REJECTED_FULL
    mine = [offer(admission, "b/c", now_s=6.0) for _ in range(3)]
    assert [ticket.state for ticket in mine] == [State.WAITING, State.WAITING, State.REJECTED_FULL]
    assert admission.next_deadline_s == 6.0
    assert admission.expire(6.0).ended == [flood[4], flood[3]]
    assert {flood[3].state, flood[4].state} == {State.REJECTED_FULL}
    assert admission.queued == 4


def test_nobody_gives_way_to_a_lane_that_would_be_as_long() -> None:
    """Two places to two: the third is whose it was."""
    admission = core(TWO, 1, 3)
    for _ in range(4):
        offer(admission, "a/c")
    assert [offer(admission, "b/c").state for _ in range(2)] == [State.WAITING, State.REJECTED_FULL]


def test_the_longest_lane_is_the_longest_now() -> None:
    """Not the one that was listed first, nor one that was longer before some left."""
    lanes = Lanes(TWO.classes, (Lane("a", "c"), Lane("b", "c"), Lane("d", "c")))
    admission = core(lanes, 1, 4)
    waiting = [offer(admission, lane) for lane in ("a/c", "a/c", "b/c", "b/c", "b/c")][1:]
    offer(admission, "d/c")
    assert admission.expire(0.0).ended == [waiting[3]]
    for ticket in waiting[1:3]:
        admission.leave(ticket, 0.0)
    newest = [offer(admission, "a/c") for _ in range(2)][-1]
    offer(admission, "b/c")
    assert admission.expire(0.0).ended == [newest]


def test_who_starts_since_a_wide_one_made_room_is_told() -> None:
    """The wide one was in the way; the next `expire` tells both."""
    lanes = (Lane("a", "c", 0.5), Lane("b", "c"), Lane("d", "c"), Lane("e", "c"))
    admission = core(Lanes(TWO.classes, lanes), 2, 2)
    offer(admission, "e/c")
    wide, narrow = offer(admission, "a/c", slots=2), offer(admission, "b/c")
    assert (wide.state, narrow.state) == (State.WAITING, State.WAITING)
    newcomer = offer(admission, "d/c")
    assert (narrow.state, newcomer.state) == (State.RUNNING, State.WAITING)
    assert admission.expire(0.0) == ([narrow], [wide])


def test_nobody_overtakes_a_wide_one_of_its_own_lane() -> None:
    """It waits for its lane's slots; the lane's next ones wait behind it."""
    admission = core(Lanes(TWO.classes, (Lane("a", "c", slots_max=2), Lane("b", "c"))), 8)
    running, wide, narrow = (offer(admission, "a/c", slots=slots) for slots in (1, 2, 1))
    assert (wide.state, narrow.state) == (State.WAITING, State.WAITING)
    assert admission.release(running, 1.0).granted == [wide]


def test_a_queue_full_of_batch_has_places_for_what_is_urgent() -> None:
    """And keeps as many for batch as it has reserved slots, whoever floods it."""
    lanes = Lanes((PriorityClass("urgent"), PriorityClass("batch", 1)), RANKED.lanes)
    admission = core(lanes, 2, 3)
    for lane in ["a/urgent", "b/batch"] + ["b/batch"] * 3 + ["a/urgent"] * 5:
        offer(admission, lane)
    assert [use.waiting for use in admission.uses] == [2, 1]
    late = core(lanes, 2, 3)
    for lane in ["a/urgent", "b/batch"] + ["a/urgent"] * 5 + ["b/batch"] * 3:
        offer(late, lane)
    assert [use.waiting for use in late.uses] == [2, 1]


def test_over_its_budget_a_tenant_hears_when_it_is_not() -> None:
    """60 tokens a minute, 100 used at once: 40 seconds later it may again, and not before."""
    lanes = Lanes(TWO.classes, (Lane("a", "c", tokens_per_min=60.0), Lane("b", "c")))
    admission = core(lanes, 4)
    assert offer(admission, "a/c", 100).state is State.RUNNING
    assert admission.refusal(0.0, request=RequestFacts(lane="a/c")) is State.OVER_BUDGET
    assert (offer(admission, "a/c").state, offer(admission, "b/c").state) == (
        State.OVER_BUDGET,
        State.RUNNING,
    )
    assert admission.budget_wait_s("a/c", 0.0) == pytest.approx(40.0)
    assert offer(admission, "a/c", now_s=39.9).state is State.OVER_BUDGET
    assert admission.budget_wait_s("a/c", 40.0) == 0.0
    assert offer(admission, "a/c", now_s=40.0).state is State.RUNNING


def test_who_leaves_gives_its_tokens_back() -> None:
    """A waiter all of them, a running one what it did not use."""
    lanes = Lanes(TWO.classes, (Lane("a", "c", tokens_per_min=60.0), Lane("b", "c")))
    admission = core(lanes)
    running = offer(admission, "b/c")
    waiting = offer(admission, "a/c", 200)
    assert admission.budget_wait_s("a/c", 0.0) == pytest.approx(140.0)
    admission.leave(waiting, 0.0)
    assert admission.budget_wait_s("a/c", 0.0) == 0.0
    admission.release(running, 0.0)
    running = offer(admission, "a/c", 200)
    admission.correct(running, 70, 0.0)
    assert admission.budget_wait_s("a/c", 0.0) == pytest.approx(10.0)


def test_who_is_due_first_goes_first_over_all_lanes() -> None:
    """The order holds inside a class, not between classes."""
    lanes = Lanes(RANKED.classes, (Lane("a", "urgent"), Lane("b", "urgent"), Lane("c", "batch")))
    admission = core(lanes, queue_order="edf")
    running = offer(admission, "a/urgent")
    for lane, due_s in (("a/urgent", 9.0), ("b/urgent", 3.0), ("c/batch", 1.0), ("a/urgent", 2.0)):
        offer(admission, lane, due_s=due_s)
    assert served(admission, running) == ["a/urgent", "b/urgent", "a/urgent", "c/batch"]


def test_an_unknown_lane_is_that_of_the_others() -> None:
    """One bounded lane for all who have none of their own."""
    lanes = Lanes(TWO.classes, (Lane("other", "c", queue_max=1), Lane("b", "c")))
    admission = core(lanes)
    states = [offer(admission, lane).state for lane in ("x/c", "y/c", "z/c")]
    assert states == [State.RUNNING, State.WAITING, State.REJECTED_FULL]
    assert Lanes(TWO.classes, (Lane("a", "c"), Lane("b", "c"))).unknown.name == "b/c"


def test_new_lanes_hold_for_those_who_wait() -> None:
    """On, changed and off while requests run and wait: nobody is lost, debts stay."""
    admission = core(NO_LANES)
    running = offer(admission, "a/c", 10)
    for lane in ["a/c"] * 3 + ["b/c"] * 3:
        offer(admission, lane, 10)
    assert len(admission.uses) == 0
    assert admission.relane(TWO, 1.0) == ([], ())
    assert [(use.held, use.waiting) for use in admission.uses] == [(0, 3), (0, 3)]
    (running,) = admission.release(running, 2.0).granted
    (running,) = admission.release(running, 3.0).granted
    assert running.owner == "b/c"
    admission.relane(Lanes(TWO.classes, (Lane("a", "c", 2.0), Lane("b", "c"))), 4.0)
    assert [(use.held, use.waiting, use.tokens) for use in admission.uses] == [(0, 2, 10), (1, 2, 10)]
    admission.relane(NO_LANES, 5.0)
    assert served(admission, running, 6.0) == ["a/c", "a/c", "b/c", "b/c"]
    assert (admission.active, admission.queued) == (0, 0)


def test_drained_lanes_end_everybody_once() -> None:
    """Those who had to make room too."""
    admission = core(TWO, 1, 2)
    tickets = [offer(admission, lane) for lane in ("a/c", "a/c", "a/c", "b/c")]
    ended = admission.drain(1.0).ended
    assert list(ended) == [tickets[2], tickets[1], tickets[3]]
    assert offer(admission, "b/c", now_s=2.0).state is State.DRAINING


def test_orders_change_under_lanes() -> None:
    """FIFO over all lanes of a class, then fair again."""
    admission = core(TWO, queue_order="fifo")
    running = offer(admission, "a/c")
    for k, lane in enumerate(["a/c", "a/c", "b/c", "a/c", "b/c"]):
        offer(admission, lane, 100, now_s=k / 10)
    (running,) = admission.release(running, 1.0).granted
    assert running.owner == "a/c"
    admission.resize(admission.limits.changed(queue_order=QueueOrder.FAIR), 2.0)
    assert served(admission, running, 3.0) == ["b/c", "a/c", "b/c", "a/c"]
