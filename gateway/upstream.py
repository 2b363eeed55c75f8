"""The engine over HTTP/1.1: a pool of keep-alive connections, one request at a time on each.

Why not a client library: the relay needs to know whether a single byte of an answer was read
(the rule for a retry), to drop a connection the moment nobody wants its answer, and to cost
little per chunk. The figures are in docs/decisions/007-upstream-client.md.
"""

import asyncio
import time
from collections.abc import Coroutine
from itertools import islice

from gateway.asking import Reader
from gateway.endpoint import Endpoint
from gateway.refusal import broken, unreachable
from gateway.upstream_connection import EngineConnection, EngineState

CLOSED_AT_ONCE = 256
"""Idle connections closed in one turn of the event loop."""


class Upstream:
    """Connections to one engine. As many as there are requests: admission is what bounds them."""

    def __init__(
        self, endpoint: Endpoint, keep_alive_s: float, connect_timeout_s: float, stall_timeout_s: float
    ) -> None:
        self._endpoint = endpoint
        self._tls = endpoint.tls()
        self._prefix = endpoint.request_prefix()
        self._fields = b"".join(b"%s: %s\r\n" % pair for pair in endpoint.request_fields())
        self._keep_alive_s = keep_alive_s
        self._connect_timeout_s = connect_timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._idle: dict[EngineConnection, None] = {}  # the one used last is the last
        self._sweeper: asyncio.TimerHandle | None = None
        self._stopped = False
        self.open: set[EngineConnection] = set()
        self.retries = 0

    def connections(self) -> dict[str, int]:
        """Open connections by state."""
        return {"idle": len(self._idle), "in_use": len(self.open) - len(self._idle)}

    def stop(self) -> None:
        """Drops every connection."""
        self._stopped = True
        for connection in list(self.open):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()

    def ask(self, path: bytes, fields: bytes, content: bytes, reader: Reader) -> None:
        """Posts `content` to a path; the reader is told the answer.

        fields: lines of the head without Host, Content-Length and the gateway's own credentials. A reused
        connection that dies before any byte of an answer was its engine's idle timeout: the request then goes
        out once more, on a fresh one.
        """
        request = b"POST %b%b HTTP/1.1\r\n%b%bcontent-length: %d\r\n\r\n%b" % (
            self._prefix,
            path,
            self._fields,
            fields,
            len(content),
            content,
        )
        connection = self._take()
        if connection is not None:
            connection.ask(request, reader)
        else:
            reader.carrier = _Connecting(self._connect(request, reader))

    def ask_again(self, request: bytes, reader: Reader) -> None:
        """See `upstream_connection.Pool`."""
        self.retries += 1
        reader.carrier = _Connecting(self._connect(request, reader))

    def give_back(self, connection: EngineConnection) -> None:
        """A connection whose answer was read to its end may serve another request."""
        if self._stopped:
            connection.abort()
            return
        connection.idle_since_s = time.monotonic()
        self._idle[connection] = None
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._keep_alive_s, self._sweep)

    def lost(self, connection: EngineConnection) -> None:
        """A connection is closed."""
        self.open.discard(connection)
        if connection.idle_since_s is not None:
            del self._idle[connection]
            connection.idle_since_s = None

    def _take(self) -> EngineConnection | None:
        # The last one used goes first: the others grow old together and are swept.
        if not self._idle:
            return None
        connection, _ = self._idle.popitem()
        if time.monotonic() - (connection.idle_since_s or 0.0) > self._keep_alive_s:
            self._idle[connection] = None
            return None
        connection.idle_since_s = None
        return connection

    def _sweep(self) -> None:
        self._sweeper = None
        oldest_s = time.monotonic() - self._keep_alive_s
        expired = [
            connection
            for connection in islice(self._idle, CLOSED_AT_ONCE)
            if (connection.idle_since_s or 0.0) <= oldest_s
        ]
        for connection in expired:
            connection.abort()
        if self._idle:
            after_s = 0.0 if len(expired) == CLOSED_AT_ONCE else self._keep_alive_s / 4
            self._sweeper = asyncio.get_running_loop().call_later(after_s, self._sweep)

    async def _connect(self, request: bytes, reader: Reader) -> None:
        """The task of a request that needs a new connection; it is cancelled when nobody waits any more."""
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                connection = await self._open()
        except TimeoutError:
            reader.answer_fails(unreachable("The engine did not accept a connection in time."))
        except (OSError, UnicodeError):  # also a name that no DNS can hold
            reader.answer_fails(unreachable("The engine cannot be reached."))
        else:
            if connection.state is EngineState.CLOSED:
                reader.answer_fails(broken("The engine closed the connection at once."))
                return
            self.open.add(connection)
            connection.ask(request, reader)

    async def _open(self) -> EngineConnection:
        loop = asyncio.get_running_loop()
        to = self._endpoint

        def made() -> EngineConnection:
            return EngineConnection(loop, self, self._stall_timeout_s)

        if to.proxy is None:
            # Every address of the name is tried.
            _, connection = await loop.create_connection(made, to.host, to.port, ssl=self._tls)
            return connection
        sock = await to.proxy.open(to.authority_with_port if self._tls else None)
        name = to.host if self._tls else None
        _, connection = await loop.create_connection(made, sock=sock, ssl=self._tls, server_hostname=name)
        return connection


class _Connecting:
    """Carries a request until it has a connection: the one thing at which a request waits in a task."""

    def __init__(self, connecting: Coroutine[object, object, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(connecting)

    def release(self) -> None:
        self._task.cancel()

    def pause(self) -> None:
        """Nothing: nothing is delivered yet."""

    def resume(self) -> None:
        """Nothing: see `pause`."""
