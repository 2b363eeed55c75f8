"""The HTTP client under Locust: keep-alive connections to one target."""

from __future__ import annotations

import socket as plain_socket
import time
from collections import deque

import gevent.socket
import gevent.ssl

from loadtests.reach import why
from loadtests.reach.endpoint import Endpoint, UnreachableError
from loadtests.recording.chunk_times import ChunkTimes
from loadtests.sending.answer import Answer
from loadtests.sending.connections import Connection, GreenletConnection, HubConnection
from loadtests.sending.reading import TICK_S, Reading, reading_here

CONNECT_TIMEOUT_S = 10.0


class Client:
    """Connections to one target: an idle one is used again, a new one is made when there is none.

    There is no limit here: an open loop must not queue inside the client (`in_flight` caps
    belong to the run).
    """

    def __init__(self, target: Endpoint, *, keep_idle_s: float = 2.0, reading: Reading | None = None) -> None:
        """`keep_idle_s`: an idle connection older than this is closed; below the shortest keep-alive of
        usual servers. `reading`: of plain connections, by default that of the platform. Raises
        UnreachableError when the target's name cannot be resolved."""
        self.target = target
        self._keep_idle_s = keep_idle_s
        self._idle: deque[tuple[float, Connection]] = deque()
        self._addresses = self._resolve()
        self._reading = reading or reading_here(TICK_S["closed"])
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
            answer.close()
            if reusable:
                self._idle.append((time.monotonic(), connection))
            else:
                connection.close()
            self._close_oldest()

    @property
    def times(self) -> ChunkTimes:
        """Where the times in the answers are from."""
        return self._reading.times

    def close(self) -> None:
        """Close the idle connections; there are no others any more. Safe to call again."""
        while self._idle:
            self._idle.pop()[1].close()
        self._reading.close()

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
                return HubConnection(sock.detach(), self._reading)
            if self.target.proxy is not None:
                self.target.proxy.tunnel(sock, self.target.authority)
            secure = self._tls.wrap_socket(sock, server_hostname=self.target.host)
            secure.settimeout(None)
            return GreenletConnection(secure, self._reading.times)
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
