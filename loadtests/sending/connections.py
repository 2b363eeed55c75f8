"""One connection: a request's bytes out, the response's into an `Answer`.

A plain one is read in the hub's callback, which saves the switch to a greenlet for every chunk; that is what
a streaming client mostly pays for (docs/decisions, load client). A TLS one is read by the greenlet that waits
for it.
"""

from __future__ import annotations

import time
from socket import socket

import gevent
import gevent.socket
from gevent.hub import Waiter
from gevent.monkey import get_original

from loadtests.recording.chunk_times import ChunkTimes
from loadtests.sending.answer import Answer, BrokenAnswerError
from loadtests.sending.reading import Reading

_RawSocket: type[socket] = get_original("socket", "socket")
_SIZE = 65536


class HubConnection:
    """A plain TCP connection, watched from its first to its last moment."""

    def __init__(self, fd: int, reading: Reading) -> None:
        self._socket = _RawSocket(fileno=fd)
        self._socket.setblocking(False)
        self._reading = reading
        self._answer: Answer | None = None
        self._sleeper: Waiter | None = None
        self._not_before_s = 0.0
        self._loop = gevent.get_hub().loop
        self.dead = False
        reading.watch(self._socket, self._readable)

    def exchange(self, request: bytes, answer: Answer) -> None:
        """Send, and sleep until the answer is complete or the connection is dead."""
        self._answer = answer
        self._not_before_s = time.monotonic()
        try:
            self._send(request)
            if not answer.complete and not self.dead:
                self._sleeper = Waiter()
                self._sleeper.get()
        finally:
            self._answer = self._sleeper = None

    def _send(self, request: bytes) -> None:
        view = memoryview(request)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                gevent.socket.wait_write(self._socket.fileno())
            except OSError:
                # An answer may be there all the same: a server may refuse a request before it has read it.
                self._readable()
                self.dead = True
                return

    def _readable(self) -> None:
        """Runs in the hub: it must neither block nor raise."""
        try:
            data, now_s = self._reading.receive(self._socket, self._not_before_s)
        except BlockingIOError:
            return
        except OSError:
            data, now_s = b"", time.monotonic()
        answer = self._answer
        if answer is not None:
            self._not_before_s = now_s
            try:
                if data:
                    answer.feed(data, now_s)
                else:
                    answer.ended_by_close(now_s)
            except BrokenAnswerError as error:
                answer.error_text = f"unreadable answer: {error}"
                data = b""
            if answer.complete and data:
                self._wake()
                return
            if data:
                return
        # The peer closed, broke the protocol, or spoke while nothing was asked.
        self.dead = True
        self._reading.unwatch(self._socket)
        self._wake()

    def _wake(self) -> None:
        """Let the sleeper go on once every connection that is readable now was read: its work
        must not delay them."""
        if self._sleeper is not None:
            self._loop.run_callback(self._sleeper.switch, None)
            self._sleeper = None

    def close(self) -> None:
        """Free the socket."""
        self.dead = True
        self._reading.unwatch(self._socket)
        self._socket.close()


class GreenletConnection:
    """A connection read by the greenlet that waits for it: for TLS, whose reading also writes."""

    def __init__(self, sock: gevent.socket.socket, times: ChunkTimes) -> None:
        self._socket = sock
        self._times = times
        self.dead = False

    def exchange(self, request: bytes, answer: Answer) -> None:
        """Send, and read until the answer is complete or the connection is dead."""
        try:
            self._socket.sendall(request)
            while not answer.complete:
                data = self._socket.recv(_SIZE)
                if not data:
                    answer.ended_by_close(time.monotonic())
                    self.dead = True
                    return
                self._times.reader += 1
                answer.feed(data, time.monotonic())
        except BrokenAnswerError as error:
            answer.error_text = f"unreadable answer: {error}"
            self.dead = True
        except OSError:
            self.dead = True

    def close(self) -> None:
        """Free the socket."""
        self.dead = True
        self._socket.close()


Connection = HubConnection | GreenletConnection
