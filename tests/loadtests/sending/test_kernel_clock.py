"""Stamps of the kernel on the monotonic clock, while the wall clock is set under them."""

from __future__ import annotations

from loadtests.sending.kernel_clock import KernelClock

_MS = 1_000_000
_S = 1000 * _MS


class _Clocks:
    """A monotonic and a wall clock that the test moves; `ahead_ns` is what setting the wall clock changes."""

    def __init__(self) -> None:
        self.now_ns = 1000 * _S
        self.ahead_ns = 1_700_000_000 * _S
        self.clock = KernelClock(lambda: self.now_ns, self.wall_ns)

    def wall_ns(self) -> int:
        return self.now_ns + self.ahead_ns

    def later(self, by_ns: int) -> None:
        self.now_ns += by_ns


def test_a_stamp_is_when_it_was_made_however_late_it_is_read() -> None:
    clocks = _Clocks()
    stamp_ns, arrived_s = clocks.wall_ns(), clocks.now_ns / 1e9
    clocks.later(50 * _MS)
    clocks.clock.look()
    assert clocks.clock.arrival_s(stamp_ns, not_before_s=999.0) == arrived_s
    assert clocks.clock.steps == 0


def test_a_clock_that_was_set_before_the_reading_makes_no_time() -> None:
    for step_ns in (-3600 * _S, -20 * _MS, 20 * _MS, 3600 * _S):
        clocks = _Clocks()
        stamp_ns = clocks.wall_ns()
        clocks.later(5 * _MS)
        clocks.ahead_ns += step_ns
        clocks.clock.look()
        assert clocks.clock.arrival_s(stamp_ns, not_before_s=999.0) is None
        assert clocks.clock.steps == 1
        clocks.later(2 * _MS)
        clocks.clock.look()
        assert clocks.clock.arrival_s(clocks.wall_ns(), not_before_s=999.0) == clocks.now_ns / 1e9
        assert clocks.clock.steps == 1


def test_a_clock_that_is_set_during_the_reading_makes_no_time() -> None:
    clocks = _Clocks()
    clocks.clock.look()
    clocks.ahead_ns += _S
    assert clocks.clock.arrival_s(clocks.wall_ns(), not_before_s=999.0) is None  # in the future
    clocks.ahead_ns -= 5 * _S
    assert clocks.clock.arrival_s(clocks.wall_ns(), not_before_s=999.0) is None  # before it was asked for


def test_bytes_that_come_while_a_batch_is_read_have_their_time() -> None:
    clocks = _Clocks()
    clocks.clock.look()
    clocks.later(10 * _MS)
    assert clocks.clock.arrival_s(clocks.wall_ns(), not_before_s=999.0) == clocks.now_ns / 1e9


def test_a_clock_whose_speed_is_adjusted_is_followed() -> None:
    clocks = _Clocks()
    for _ in range(100):
        clocks.later(10 * _S)
        clocks.ahead_ns += 5 * _MS  # 500 parts in a million
        clocks.clock.look()
        assert clocks.clock.arrival_s(clocks.wall_ns(), not_before_s=999.0) == clocks.now_ns / 1e9
    assert clocks.clock.steps == 0
