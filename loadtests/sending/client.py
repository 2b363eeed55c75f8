"""The HTTP client under Locust: keep-alive connections whose responses are read in the
hub's own I/O callback.

Reading in the callback saves the switch to a greenlet for every chunk, which is what a streaming client
mostly pays for (docs/decisions, load client). A greenlet sleeps from the request's last byte to the
response's last byte; a TLS connection reads in that greenlet instead.
"""

from __future__ import annotations

import socket as plain_socket
import time
from collections import deque

import gevent
import gevent.socket
import gevent.ssl
from gevent.hub import Waiter
from gevent.monkey import get_original

from loadtests.reach import why
from loadtests.reach.endpoint import Endpoint, UnreachableError
from loadtests.sending.answer import Answer, BrokenAnswerError

_RawSocket = get_original("socket", "socket")
_READ, _SIZE = 1, 65536
CONNECT_TIMEOUT_S = 10.0


class _HubConnection:
    """A plain TCP connection, watched by the hub from its first to its last moment."""

    def __init__(self, fd: int) -> None:
        self._socket = _RawSocket(fileno=fd)
        self._socket.setblocking(False)
        self._answer: Answer | None = None
        self._sleeper: Waiter | None = None
        self._loop = gevent.get_hub().loop
        self.dead = False
        self._watcher = self._loop.io(fd, _READ)
        self._watcher.start(self._readable)

    def exchange(self, request: bytes, answer: Answer) -> None:
        self._answer = answer
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
            data = self._socket.recv(_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        answer = self._answer
        if answer is not None:
            now_s = time.monotonic()
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
        self._watcher.stop()
        self._wake()

    def _wake(self) -> None:
        """Let the sleeper go on once every connection that is readable now was read: its work
        must not delay them."""
        if self._sleeper is not None:
            self._loop.run_callback(self._sleeper.switch, None)
            self._sleeper = None

    def close(self) -> None:
        self.dead = True
        self._watcher.stop()
        self._watcher.close()
        self._socket.close()


class _GreenletConnection:
    """A connection read by the greenlet that waits for it: for TLS, whose reading also writes."""

    def __init__(self, sock: gevent.socket.socket) -> None:
        self._socket = sock
        self.dead = False

    def exchange(self, request: bytes, answer: Answer) -> None:
        try:
            self._socket.sendall(request)
            while not answer.complete:
                data = self._socket.recv(_SIZE)
                if not data:
                    answer.ended_by_close(time.monotonic())
                    self.dead = True
                    return
                answer.feed(data, time.monotonic())
        except BrokenAnswerError as error:
            answer.error_text = f"unreadable answer: {error}"
            self.dead = True
        except OSError:
            self.dead = True

    def close(self) -> None:
        self.dead = True
        self._socket.close()


Connection = _HubConnection | _GreenletConnection


class Client:
    """Connections to one target: an idle one is used again, a new one is made when there is none.

    There is no limit here: an open loop must not queue inside the client (`in_flight` caps
    belong to the run).
    """

    def __init__(self, target: Endpoint, *, keep_idle_s: float = 2.0) -> None:
        """`keep_idle_s`: an idle connection older than this is closed; below the shortest keep-alive of
        usual servers. Raises UnreachableError when the target's name cannot be resolved."""
        self.target = target
        self._keep_idle_s = keep_idle_s
        self._idle: deque[tuple[float, Connection]] = deque()
        self._addresses = self._resolve()
        self._tls = gevent.ssl.create_default_context() if target.scheme == "https" else None

    def exchange(self, request: bytes, answer: Answer) -> None:
        """Send the bytes, and read into `answer` until it is complete or the connection ends.

        Raises UnreachableError when there is no connection to be had.
        A greenlet killed or timed out in here leaves a closed connection behind.
        """
        connection = self._take()
        reusable = False
        try:
            connection.exchange(request, answer)
            reusable = answer.keep_alive and not connection.dead
        finally:
            if reusable:
                self._idle.append((time.monotonic(), connection))
            else:
                connection.close()
            self._close_oldest()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop()[1].close()

    def _close_oldest(self) -> None:
        """After a burst: what the newest-first use leaves lying must not keep its sockets."""
        oldest_s = time.monotonic() - self._keep_idle_s
        while self._idle and self._idle[0][0] < oldest_s:
            self._idle.popleft()[1].close()

    def _take(self) -> Connection:
        oldest_s = time.monotonic() - self._keep_idle_s
        while self._idle:
            since_s, connection = self._idle.pop()
            if since_s >= oldest_s and not connection.dead:
                return connection
            connection.close()
        return self._connect()

    def _connect(self) -> Connection:
        sock = self._open()
        try:
            sock.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)
            if self._tls is None:
                sock.settimeout(None)
                return _HubConnection(sock.detach())
            if self.target.proxy is not None:
                self.target.proxy.tunnel(sock, self.target.authority)
            secure = self._tls.wrap_socket(sock, server_hostname=self.target.host)
            secure.settimeout(None)
            return _GreenletConnection(secure)
        except OSError as error:
            sock.close()
            raise self._unreachable(error) from error
        except BaseException:
            sock.close()
            raise

    def _open(self) -> gevent.socket.socket:
        """A socket to the first address that takes one, which the next connection then tries first."""
        for place, (family, kind, protocol, _, address) in enumerate(self._addresses):
            sock = gevent.socket.socket(family, kind, protocol)
            try:
                sock.settimeout(CONNECT_TIMEOUT_S)
                sock.connect(address)
            except OSError as error:
                sock.close()
                refused = error
            except BaseException:
                sock.close()
                raise
            else:
                self._addresses.insert(0, self._addresses.pop(place))
                return sock
        raise self._unreachable(refused) from refused

    def _unreachable(self, error: OSError) -> UnreachableError:
        reason = why.unreachable(error, self.target)
        return UnreachableError(f"cannot connect to {self.target.authority}: {reason}")

    def _resolve(self) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        asked = self.target.proxy or self.target
        try:
            addresses = gevent.socket.getaddrinfo(asked.host, asked.port, type=plain_socket.SOCK_STREAM)
        except OSError as error:
            raise UnreachableError(f"cannot resolve {asked.host}: {error}") from error
        # IPv4 first: local servers mostly listen there only.
        return sorted(addresses, key=lambda a: a[0])
