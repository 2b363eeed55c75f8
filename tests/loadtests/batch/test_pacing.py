"""How fast a batch goes: its window, what the gateway shows of the others, what is told, the forecast."""

from __future__ import annotations

from email.utils import formatdate

import httpx
import pytest

from loadtests.batch.forecast import Forecast, words
from loadtests.batch.headroom import LEARNT_QUIET_S, OURS, QUIET_S, Headroom
from loadtests.batch.others import ClassLook, LaneLook, Look, own_waiting
from loadtests.batch.pace import Pace, Pause, beside
from loadtests.batch.sending import told_wait_s
from loadtests.batch.window import LOOKS, WAITERS, Window
from loadtests.slo import SLO


def test_the_window_grows_by_one_a_round_and_halves() -> None:
    """From 1 to its bound; one that is not used up stays."""
    window = Window(4)
    for size in (1, 2, 2, 2, 3, 3, 3, 4, 4, 4):
        assert window.size == size
        window.went_well(window.size)
    window.refused(10.0, 2.0, 11.0)
    assert window.size == 2
    window.went_well(1)
    assert window.size == 2


def test_refusals_of_one_round_halve_once_and_close_as_told() -> None:
    """Nothing leaves before the longest wait that was told is over."""
    window = Window(16)
    for _ in range(200):
        window.went_well(window.size)
    for told_s in (3.0, 1.0, 2.0):
        window.refused(10.0, told_s, 11.0)
    assert window.size == 8
    assert not window.may_send(0, 13.9)
    assert window.may_send(7, 14.0)
    assert not window.may_send(8, 14.0)
    window.refused(14.0, 0.1, 15.0)
    assert window.size == 4


def test_told_nothing_it_waits_longer_each_time() -> None:
    """Half a second, doubled; a success begins anew. It never falls below one."""
    window = Window(16)
    waits_s = []
    for now_s in (0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0):
        window.refused(now_s, None, now_s)
        waits_s.append(window.closed_until_s - now_s)
    assert waits_s == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    window.went_well(1)
    window.refused(800.0, None, 800.0)
    assert window.closed_until_s == 800.5
    assert window.size == 1


def test_what_waits_at_the_gateway_is_too_much() -> None:
    """Of ten in flight three wait: seven; looked at again while they still wait, not less."""
    window = Window(10)
    for _ in range(100):
        window.went_well(window.size)
    window.leave(10, 0)
    assert window.size == 10
    window.leave(10, 3)
    window.leave(10, 3)
    assert window.size == 7
    window.leave(1, 1)
    assert window.size == 1


PAGE = """# HELP gateway_queue_depth Requests waiting.
# TYPE gateway_queue_depth gauge
gateway_queue_depth 5
gateway_lane_changes_total{reason="file"} 1
gateway_lane_queue_depth{tenant="alice",priority_class="chat"} 2
gateway_lane_queue_depth{tenant="alice",priority_class="batch"} 3
gateway_lane_requests_total{tenant="alice",priority_class="chat",outcome="ok"} 10
gateway_lane_requests_total{tenant="alice",priority_class="chat",outcome="queue_timeout"} 4
gateway_lane_requests_total{tenant="alice",priority_class="chat",outcome="rejected_full"} 1
gateway_lane_ttft_seconds_sum{tenant="alice",priority_class="chat"} 2.5
gateway_lane_ttft_seconds_count{tenant="alice",priority_class="chat"} 10
gateway_lane_active{tenant="alice",priority_class="chat"} 6
gateway_class_ttft_seconds_bucket{priority_class="chat",le="0.9"} 7
gateway_class_ttft_seconds_bucket{priority_class="chat",le="1"} 8
gateway_class_ttft_seconds_bucket{priority_class="chat",le="1.1"} 9
gateway_class_ttft_seconds_bucket{priority_class="chat",le="+Inf"} 10
gateway_class_ttft_seconds_sum{priority_class="chat"} 8.5
gateway_class_ttft_seconds_count{priority_class="chat"} 10
"""


def test_a_page_of_the_gateway() -> None:
    """Its lanes; a page of somebody else is none."""
    look = Look.of(PAGE, 1.05)
    lanes = {"alice/chat": LaneLook(2, 5, 2.5, 10, 6), "alice/batch": LaneLook(waiting=3)}
    assert look == Look(5, lanes, {"chat": ClassLook(10, 8)})
    looks = [Look.of(PAGE, ttft_s) for ttft_s in (0.1, 1.0, 2.0, None)]
    assert [one and one.classes["chat"].late for one in looks] == [10, 2, 1, 0]
    assert own_waiting(look, "alice/batch") == 3
    assert Look.of("vllm:num_requests_waiting 3\n") is None
    assert Look.of("<html>") is None
    alone = Look.of("gateway_queue_depth 5\ngateway_lane_changes_total 0\n")
    assert alone == Look(5)
    assert own_waiting(alone, "") == 5


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (LaneLook(), LaneLook(waiting=1), Pause.OTHERS_WAIT),
        (LaneLook(shed=3), LaneLook(shed=4), Pause.OTHERS_SHED),
        (LaneLook(shed=3), LaneLook(shed=3), None),
        (LaneLook(0, 0, 1.0, 10), LaneLook(0, 0, 7.0, 20), Pause.OTHERS_SLOW),
        (LaneLook(0, 0, 1.0, 10), LaneLook(0, 0, 5.9, 20), None),
        (LaneLook(0, 0, 100.0, 10), LaneLook(0, 0, 100.0, 10), None),
        (LaneLook(0, 9, 100.0, 90), LaneLook(0, 0, 0.1, 1), None),
    ],
    ids=["wait", "shed", "shed long ago", "slow", "fast", "slow long ago", "the gateway began anew"],
)
def test_when_a_batch_pauses(before: LaneLook, now: LaneLook, why: Pause | None) -> None:
    """For others of its class in trouble since the earlier look, with an objective of 1 s; while it does not
    know its lane, for anybody; never for its own lane, nor for another class, which goes first by itself.
    """
    looks = Look(0, {"x/batch": before}), Look(0, {"x/batch": now})
    assert [beside(*looks, own, 1.0) for own in ("y/batch", "", "x/batch", "y/chat")] == [
        why,
        why,
        None,
        None,
    ]


def test_without_an_objective_or_an_earlier_look_only_waiting_counts() -> None:
    """What grew before the batch began is not its doing."""
    slow, slower = Look(0, {"x/chat": LaneLook()}), Look(0, {"x/chat": LaneLook(0, 0, 90.0, 9)})
    assert beside(slow, slower, "", None) is None
    assert beside(None, slower, "", 1.0) is None


def test_where_it_is_in_nobodys_way_one_or_two_wait() -> None:
    """The window grows until some wait, and is cut to what does not wait all the time."""
    window = Window(16)
    for in_flight in range(1, 7):
        window.fill(in_flight, 0)
    assert window.size == 7
    for _ in range(LOOKS - 1):
        window.fill(7, 5)
    assert window.size == 7
    window.fill(7, 5)
    assert window.size == 7 - (5 - WAITERS)
    window.fill(4, 0)
    window.fill(4, 5)
    assert window.size == 5


def saw(headroom: Headroom, now_s: float, in_time: float, late: float = 0.0, in_flight: int = 1) -> int:
    """After these first tokens of others the size is."""
    headroom.saw(now_s, in_time, late, others=bool(in_time or late), in_flight=in_flight, full=True)
    return headroom.size


def test_late_ones_and_those_in_time_balance_where_as_many_are_late_as_may_be() -> None:
    """The bound falls where more are late, and grows where fewer are."""
    sizes = []
    for share in (OURS / 2, OURS, 2 * OURS):
        headroom = Headroom(1000, 0.95)
        for k in range(5):
            saw(headroom, k * 0.5, 100)
        for k in range(12):  # the first ten late ones count more
            saw(headroom, 10 + k * 0.5, 100 * (1 - OURS), 100 * OURS)
        before = headroom.size
        for k in range(400):
            saw(headroom, 100 + k * 0.5, 10 * (1 - share), 10 * share)
        sizes.append(headroom.size / before)
    assert sizes[0] > 2
    assert sizes[1] == pytest.approx(1.0, abs=0.05)
    assert sizes[2] < 0.5


def test_nothing_is_left_of_an_objective() -> None:
    """Others that are late again and again stop a batch; what they miss by themselves is learnt while it
    rests, and then it begins again.
    """
    headroom = Headroom(100, 0.9)
    for k in range(200):
        saw(headroom, k * 0.5, 8, 1)
    assert headroom.size == 0
    sizes = [saw(headroom, 200 + k * 0.5, 9.6, 0.4, in_flight=0) for k in range(4000)]
    assert sizes[50] == 0
    assert max(sizes) > 0
    # With an objective that they do not reach by themselves nothing is left.
    strict = Headroom(100, 0.99)
    assert {saw(strict, k * 0.5, 9.6, 0.4, in_flight=0) for k in range(4000)} <= {0, 1}
    assert strict.size == 0


def test_where_nobody_else_asks_it_takes_everything() -> None:
    """Soon at first; once somebody was late only after minutes."""
    headroom = Headroom(64, 0.95)
    times_s = [k * 0.5 for k in range(200)]
    sizes = [saw(headroom, now_s, 0) for now_s in times_s]
    assert sizes[int(QUIET_S / 0.5)] == 1
    assert sizes[-1] == 64
    saw(headroom, 100.0, 0, 30)
    size = headroom.size
    assert size < 2
    assert saw(headroom, 99.0 + LEARNT_QUIET_S, 0) == size
    for k in range(200):
        saw(headroom, 100.5 + LEARNT_QUIET_S + k * 0.5, 0)
    assert headroom.size == 64


def test_only_another_class_is_judged_by_the_objective() -> None:
    """Of those late first tokens lower the size; and who waits there stops nothing."""
    pace = Pace(8, SLO(ttft_s=1.0))

    def look(late: float, waiting: int = 0) -> Look:
        lanes = {"x/chat": LaneLook(waiting, ttfts=late, held=4), "x/batch": LaneLook(held=1)}
        return Look(waiting, lanes, {"chat": ClassLook(late, 0), "batch": ClassLook(999 * late, 0)})

    pace.saw(look(0), "x/batch", 0, 0.0)
    assert pace.may_send(0, 0.0)
    pace.saw(look(0, waiting=3), "x/batch", 1, 0.5)
    assert pace.pause is None
    pace.saw(look(9), "x/batch", 1, 1.0)
    assert pace.pause is Pause.NO_HEADROOM
    assert not pace.may_send(0, 1.0)
    pace.saw(None, "x/batch", 0, 1.5)
    assert pace.pause is Pause.NO_LOOK


@pytest.mark.parametrize(
    ("fields", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "3", "retry-after-ms": "2100"}, 2.1),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "86400"}, 600.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": formatdate(1_000_020, usegmt=True)}, 20.0),
    ],
)
def test_what_a_server_tells_to_wait(fields: dict[str, str], wait_s: float | None) -> None:
    """Seconds, milliseconds or a date, bounded."""
    assert told_wait_s(httpx.Headers(fields), 1_000_000.0) == wait_s


def test_the_end_is_told_from_the_rate_of_the_last_minutes() -> None:
    """Unknown at first; what was long ago no longer counts; a pause does."""
    forecast = Forecast(100, 0.0)
    assert forecast.left_s(50) is None
    forecast.at(150, 10.0)
    assert forecast.left_s(50) == pytest.approx(10.0)
    for now_s in range(20, 1000, 10):
        forecast.at(150 + (now_s - 10) // 10, float(now_s))
    assert forecast.rate_per_s() == pytest.approx(0.1)
    assert forecast.left_s(0) == 0.0
    assert [words(left_s) for left_s in (None, 8.4, 300.0, 9000.0)] == [
        "end unknown",
        "ends in about 8 s",
        "ends in about 5 min",
        "ends in about 2.5 h",
    ]
