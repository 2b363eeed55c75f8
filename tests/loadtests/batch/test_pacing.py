"""How fast a batch goes: its window, what the gateway shows of the others, what is told, the forecast."""

from __future__ import annotations

from email.utils import formatdate

import httpx
import pytest

from loadtests.batch.forecast import Forecast, words
from loadtests.batch.others import LaneLook, Look, Pause, own_waiting, pause
from loadtests.batch.sending import told_wait_s
from loadtests.batch.window import Window


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
"""


def test_a_page_of_the_gateway() -> None:
    """Its lanes; a page of somebody else is none."""
    look = Look.of(PAGE)
    assert look == Look(5, {"alice/chat": LaneLook(2, 5, 2.5, 10), "alice/batch": LaneLook(waiting=3)})
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
        (LaneLook(0, 0, 1.0, 10), LaneLook(0, 0, 7.0, 20), Pause.NO_HEADROOM),
        (LaneLook(0, 0, 1.0, 10), LaneLook(0, 0, 5.9, 20), None),
        (LaneLook(0, 0, 100.0, 10), LaneLook(0, 0, 100.0, 10), None),
        (LaneLook(0, 9, 100.0, 90), LaneLook(0, 0, 0.1, 1), None),
    ],
    ids=["wait", "shed", "shed long ago", "slow", "fast", "slow long ago", "the gateway began anew"],
)
def test_when_a_batch_pauses(before: LaneLook, now: LaneLook, why: Pause | None) -> None:
    """For others in trouble since the earlier look, with an objective of 1 s; never for its own lane."""
    assert pause(Look(0, {"x/chat": before}), Look(0, {"x/chat": now}), "x/batch", 1.0) == why
    assert pause(Look(0, {"x/batch": before}), Look(0, {"x/batch": now}), "x/batch", 1.0) is None


def test_without_an_objective_or_an_earlier_look_only_waiting_counts() -> None:
    """What grew before the batch began is not its doing."""
    slow, slower = Look(0, {"x/chat": LaneLook()}), Look(0, {"x/chat": LaneLook(0, 0, 90.0, 9)})
    assert pause(slow, slower, "", None) is None
    assert pause(None, slower, "", 1.0) is None


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
