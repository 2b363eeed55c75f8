"""What an end makes of the requests that wait for it, against a plain reading of the plan."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from loadtests.planning.arrival import Arrival
from loadtests.sending.follow_ups import FollowUps


def arrival(i: int, *after: int, due_s: float = 0.0, think_s: float = 0.0) -> Arrival:
    return Arrival(i, due_s, "measure", "", 10, 10, i, session=0, turn=i, think_s=think_s, after=after)


def test_a_follow_up_is_due_its_pause_after_the_last_answer() -> None:
    """Of two that it awaits the later one counts, in whichever order their ends are told."""
    for first, second in ((1, 2), (2, 1)):
        waiting = FollowUps([arrival(0), arrival(1, 0), arrival(2, 0), arrival(3, 1, 2, think_s=0.5)])
        assert [a.i for a in waiting.answered(0, 1.0).due] == [1, 2]
        end_s = {1: 4.0, 2: 3.0}
        assert waiting.answered(first, end_s[first]).due == []
        (due,) = waiting.answered(second, end_s[second]).due
        assert (due.i, due.due_s) == (3, 4.5)
        assert not waiting


def test_a_recorded_time_is_kept_where_the_answer_is_early_enough() -> None:
    """A turn of a trace comes when it came, unless the answer is not there yet."""
    turns = [arrival(0), arrival(1, 0, due_s=5.0)]
    assert FollowUps(turns).answered(0, 2.0).due[0].due_s == 5.0
    assert FollowUps(turns).answered(0, 7.0).due[0].due_s == 7.0


def test_nothing_follows_a_failure() -> None:
    """However far; another answer changes nothing any more, and each is told once."""
    waiting = FollowUps(
        [arrival(0), arrival(1, 0), arrival(2, 0), arrival(3, 1, 2), arrival(4, 3, think_s=1)]
    )
    waiting.answered(0, 1.0)
    lost = waiting.failed(1, 2.0).lost
    assert [(a.i, a.due_s) for a in lost] == [(3, 2.0), (4, 3.0)]
    after = waiting.answered(2, 9.0)
    assert after.due == after.lost == []
    assert not waiting


@given(st.integers(0, 2**32))
def test_any_session_is_sent_in_order_and_each_request_once(seed: int) -> None:
    """Random graphs, random ends and failures: nothing is due before all that it follows was answered, what
    follows a failure is lost, and every request is sent or lost once."""
    rng = random.Random(seed)
    n = rng.randint(1, 30)
    plan = [
        arrival(i, *rng.sample(range(i), min(i, rng.randint(0, 3))), think_s=rng.choice([0.0, 0.25]))
        for i in range(n)
    ]
    waiting = FollowUps(plan)
    open_s = {a.i: 0.0 for a in plan if not a.after}
    ended: dict[int, tuple[float, bool]] = {}
    lost: set[int] = set()
    while open_s:
        i = rng.choice(list(open_s))
        end_s, ok = open_s.pop(i) + rng.choice([0.0, 1.0]), rng.random() < 0.8
        ended[i] = end_s, ok
        told = waiting.answered(i, end_s) if ok else waiting.failed(i, end_s)
        for a in told.due:
            assert a.i not in ended
            assert a.i not in open_s
            assert all(ended[j][1] for j in a.after)
            assert a.due_s == max(ended[j][0] for j in a.after) + a.think_s
            open_s[a.i] = a.due_s
        for a in told.lost:
            assert a.i not in lost
            assert any(j in lost or (j in ended and not ended[j][1]) for j in a.after)
            lost.add(a.i)
    assert set(ended) | lost == set(range(n))
    assert not waiting
