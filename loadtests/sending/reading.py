"""When the sockets of a load are read, and which time their bytes are given.

On Linux the kernel stamps what it receives, so that reading late costs no accuracy: connections are read in
batches, a tick apart while bytes keep coming (docs/decisions, arrival times). Elsewhere each connection is
read when the hub finds it readable, and the time is that of the reading.
"""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Callable
from socket import CMSG_SPACE, SOL_SOCKET, socket
from typing import Protocol

import gevent
from gevent.monkey import get_original

from loadtests.recording.chunk_times import ChunkTimes
from loadtests.sending.kernel_clock import KernelClock

_READ, _SIZE = 1, 65536
TICK_S = {"closed": 0.001, "open": 0.004}
"""Between batches, by the plan's loop: in a closed one a question waits for the end of an answer."""
_SO_TIMESTAMPNS = 35  # the module socket has no name for it
_TIMESPEC = struct.Struct("@ll")
_STAMP_ROOM = CMSG_SPACE(_TIMESPEC.size)


class Reading(Protocol):
    """How connections are watched and read. `readable` runs in the hub: it neither blocks nor raises."""

    times: ChunkTimes

    def watch(self, sock: socket, readable: Callable[[], None]) -> None:
        """Call `readable` whenever there is something to read, until `unwatch`."""

    def unwatch(self, sock: socket) -> None:
        """No more calls; safe to ask for again. To be called before the socket is closed."""

    def receive(self, sock: socket, not_before_s: float) -> tuple[bytes, float]:
        """What there is, and when it arrived, on the monotonic clock: not before `not_before_s`. Of bytes
        that arrived one after another, when the last did. Raises OSError as `recv` does."""

    def close(self) -> None:
        """Stop watching; safe to call again."""


class BatchReading:
    """All connections in one epoll set, with arrival times from the kernel. After a batch was read the next
    is read a tick later, until there is none; then the hub waits for the set itself."""

    def __init__(self, tick_s: float) -> None:
        self.times = ChunkTimes()
        self._clock = KernelClock()
        self._set = get_original("select", "epoll")()
        self._readable: dict[int, Callable[[], None]] = {}
        loop = gevent.get_hub().loop
        self._first = loop.io(self._set.fileno(), _READ)
        self._tick = loop.timer(tick_s, tick_s)
        self._first.start(self._begin)

    def watch(self, sock: socket, readable: Callable[[], None]) -> None:
        sock.setsockopt(SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._readable[sock.fileno()] = readable
        self._set.register(sock.fileno(), _READ)

    def unwatch(self, sock: socket) -> None:
        if self._readable.pop(sock.fileno(), None) is not None:
            self._set.unregister(sock.fileno())

    def receive(self, sock: socket, not_before_s: float) -> tuple[bytes, float]:
        data, stamps, _, _ = sock.recvmsg(_SIZE, _STAMP_ROOM)
        if stamps:
            seconds, nanoseconds = _TIMESPEC.unpack(stamps[0][2])
            arrival_s = self._clock.arrival_s(seconds * 1_000_000_000 + nanoseconds, not_before_s)
            if arrival_s is not None:
                self.times.kernel += 1
                return data, arrival_s
        self.times.reader += bool(data)
        return data, time.monotonic()

    def close(self) -> None:
        self._first.close()
        self._tick.close()
        self._readable.clear()
        self._set.close()

    def _begin(self) -> None:
        self._first.stop()
        self._tick.start(self._read_batch)
        self._read_batch()

    def _read_batch(self) -> None:
        ready = self._set.poll(0)
        if not ready:
            self._tick.stop()
            self._first.start(self._begin)
            return
        self._clock.look()
        self.times.clock_steps = self._clock.steps
        for fd, _ in ready:
            self._readable[fd]()


class _Watcher(Protocol):
    """Of gevent, which has no types."""

    def start(self, callback: Callable[[], None]) -> None: ...

    def close(self) -> None: ...


class PromptReading:
    """Each connection is read as soon as the hub finds it readable."""

    def __init__(self) -> None:
        self.times = ChunkTimes()
        self._loop = gevent.get_hub().loop
        self._watchers: dict[int, _Watcher] = {}

    def watch(self, sock: socket, readable: Callable[[], None]) -> None:
        watcher = self._watchers[sock.fileno()] = self._loop.io(sock.fileno(), _READ)
        watcher.start(readable)

    def unwatch(self, sock: socket) -> None:
        watcher = self._watchers.pop(sock.fileno(), None)
        if watcher is not None:
            watcher.close()

    def receive(self, sock: socket, not_before_s: float) -> tuple[bytes, float]:
        data = sock.recv(_SIZE)
        self.times.reader += bool(data)
        return data, max(time.monotonic(), not_before_s)

    def close(self) -> None:
        while self._watchers:
            self._watchers.popitem()[1].close()


def reading_here(tick_s: float) -> Reading:
    """The way of this platform. `tick_s`: between batches, by which the end of an answer may be seen late."""
    return BatchReading(tick_s) if sys.platform == "linux" else PromptReading()
