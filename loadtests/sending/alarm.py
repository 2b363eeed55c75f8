"""Waking at an absolute time, to a tenth of a millisecond.

A libev timer is rounded up to whole milliseconds by epoll: requests would leave 0.6 ms late on average, 1.3
ms at worst. Linux has timerfd, a clock that is a file descriptor; the hub watches it like a socket.
Elsewhere the last millisecond is spent yielding to the hub.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time

import gevent

_ABSOLUTE = 1  # TFD_TIMER_ABSTIME
_FLAGS = 0o2004000  # TFD_NONBLOCK | TFD_CLOEXEC
_MOST = 100  # descriptors, which sockets need as well


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Wakes one greenlet at a time on `time.monotonic()`."""

    def __init__(self) -> None:
        self._fd = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(time.CLOCK_MONOTONIC, _FLAGS)
        if self._fd >= 0:
            self._watcher = gevent.get_hub().loop.io(self._fd, 1)

    def wait_until(self, when_s: float) -> None:
        """Block this greenlet until `time.monotonic()` is `when_s`; returns at once when that is past."""
        if self._fd < 0:
            self._wait_by_yielding(when_s)
            return
        while when_s > time.monotonic():
            setting = _Itimerspec()
            setting.value.seconds = int(when_s)
            setting.value.nanoseconds = min(999_999_999, int((when_s - int(when_s)) * 1e9) + 1)
            self._libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(setting), None)
            gevent.get_hub().wait(self._watcher)
            os.read(self._fd, 8)

    def close(self) -> None:
        """Free the descriptor."""
        if self._fd >= 0:
            self._watcher.close()
            os.close(self._fd)
            self._fd = -1

    @staticmethod
    def _wait_by_yielding(when_s: float) -> None:
        while (left_s := when_s - time.monotonic()) > 0:
            gevent.sleep(left_s - 1.2e-3 if left_s > 2e-3 else 0)


class Alarms:
    """Wakes many greenlets, each at its own time; those beyond the first `_MOST` to the millisecond."""

    def __init__(self) -> None:
        self._free: list[Alarm] = []
        self._made = 0

    def wait_until(self, when_s: float) -> None:
        """As `Alarm.wait_until`, of any greenlet."""
        if when_s <= time.monotonic():
            return
        if not self._free and self._made >= _MOST:
            gevent.sleep(max(0.0, when_s - time.monotonic()))
            return
        alarm = self._free.pop() if self._free else self._new()
        try:
            alarm.wait_until(when_s)
        finally:
            self._free.append(alarm)

    def close(self) -> None:
        """Free the descriptors; nobody waits any more."""
        while self._free:
            self._free.pop().close()

    def _new(self) -> Alarm:
        self._made += 1
        return Alarm()
