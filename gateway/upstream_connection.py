"""One connection to the engine, and the answer that is being read from it."""

import asyncio
from typing import Protocol, cast

import httptools

from gateway.refusal import Headers, Refusal, broken, late, truncated

MAX_HEAD_BYTES = 65_536
MAX_HELD_BYTES = 262_144


class StaleError(Exception):
    """A reused connection died before any byte of an answer."""


class Pool(Protocol):
    """Where connections come from and go back to."""

    def give_back(self, connection: "Connection") -> None: ...

    def lost(self, connection: "Connection") -> None: ...


class ResponseParser(Protocol):
    """What is used of httptools' parser, which has no types of its own."""

    def feed_data(self, data: bytes) -> None: ...

    def get_status_code(self) -> int: ...

    def should_keep_alive(self) -> bool: ...


class Answer:
    """The engine's answer: status, fields with lower-case names, and a body that is read once.

    `close` is owed on every path: it gives a connection back whose answer was read to its end and drops any
    other, which is how the engine learns that nobody wants the rest.
    """

    __slots__ = ("_connection", "headers", "status")

    def __init__(self, connection: "Connection", status: int, headers: Headers) -> None:
        self._connection = connection
        self.status = status
        self.headers = headers

    async def read(self) -> bytes:
        """Everything that came in since the last call, at least one byte; b"" at the end.

        Raises Refusal when the answer breaks off.
        """
        return await self._connection.read()

    def close(self) -> None:
        self._connection.done()


class Connection(asyncio.Protocol):
    """One request at a time: `ask`, then `read` until b"", then `done`.

    idle_since_s: when it went back to the pool, None while in use. Bytes that nobody asked for end it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: Pool, stall_timeout_s: float) -> None:
        self._loop = loop
        self._pool = pool
        self._stall_timeout_s = stall_timeout_s
        self._parser: ResponseParser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._asked = False
        self._asked_before = False
        self._closed = False
        self._paused = False
        self._reset()
        self.idle_since_s: float | None = None

    def _reset(self) -> None:
        self._headers: Headers = []
        self._status = 0
        self._head_bytes = 0
        self._any_byte = False
        self._head_done = False
        self._complete = False
        self._until_eof = False
        self._reusable = False
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._fault: Refusal | StaleError | None = None

    async def ask(self, request: bytes) -> Answer:
        """Sends the request; returns when the head of its answer is in. Raises Refusal or StaleError."""
        reused, self._asked_before = self._asked_before, True
        if self._closed:
            raise StaleError if reused else broken("The engine closed the connection at once.")
        self._asked = True
        try:
            self.transport.write(request)
            while not self._head_done and self._fault is None:
                await self._wait_for_change()
        except BaseException:
            self.abort()
            raise
        if self._fault is not None and not self._head_done:
            self.abort()
            if isinstance(self._fault, StaleError) and not reused:
                raise broken("The engine closed the connection without an answer.")
            raise self._fault
        return Answer(self, self._status, self._headers)

    async def read(self) -> bytes:
        """The body's next bytes; b"" at its end. Raises Refusal when it breaks off."""
        while not self._pieces:
            if self._complete:
                return b""
            if self._fault is not None:
                raise self._fault
            await self._wait_for_change()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held_bytes = 0
        if self._paused and not self._closed:
            self._paused = False
            self.transport.resume_reading()
        return data

    def done(self) -> None:
        """The reader has finished, or wants no more."""
        if not (self._complete and self._reusable) or self._closed or self._fault is not None or self._paused:
            self.abort()
            return
        self._asked = False
        self._reset()
        self._pool.give_back(self)

    def abort(self) -> None:
        """Drops the connection at once."""
        self._asked = False
        self.transport.abort()

    async def _wait_for_change(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, fault: Refusal | StaleError) -> None:
        if self._fault is None and not self._complete:
            self._fault = fault
        self._wake()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._pool.lost(self)
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        if self._until_eof and exc is None and self._head_done:
            self._complete = True
        elif self._head_done:
            self._fail(truncated("The engine's answer broke off."))
        elif self._any_byte:
            self._fail(broken("The engine closed the connection within the head of its answer."))
        else:
            self._fail(StaleError())
        self._wake()

    def data_received(self, data: bytes) -> None:
        if not self._asked or self._complete:
            self._reusable = False
            self.transport.abort()
            return
        self._any_byte = True
        if not self._head_done:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self._complete:
                self._reusable = False
            elif self._head_done:
                self._fail(truncated("The engine's answer is malformed."))
            else:
                self._fail(broken("The engine's answer is not HTTP.", "upstream_garbage"))
            self.transport.abort()
            return
        if not self._head_done and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(broken("The head of the engine's answer is too large.", "upstream_too_large"))
            self.transport.abort()
            return
        self._wake()

    def pause_writing(self) -> None:
        self._stall_timer = self._loop.call_later(self._stall_timeout_s, self._on_stall)

    def resume_writing(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _on_stall(self) -> None:
        self._fail(late("The engine stopped reading the request.", "upstream_write_timeout"))
        self.transport.abort()

    # httptools

    def on_message_begin(self) -> None:
        if self._complete:
            self._reusable = False  # bytes behind the answer: nobody asked for them

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if self._status < 200:
            return
        names = {name for name, _ in self._headers}
        bounded = b"content-length" in names or b"transfer-encoding" in names or self._status in (204, 304)
        self._until_eof = not bounded
        self._head_done = True

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._held_bytes += len(body)
        if self._held_bytes > MAX_HELD_BYTES and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._status < 200:  # 100 Continue, 103 Early Hints: the answer is still to come
            self._headers = []
            return
        self._complete = True
        self._reusable = self._parser.should_keep_alive()
