"""One connection to the engine, and the answer that comes in on it."""

import asyncio
from enum import StrEnum
from typing import Protocol, cast

import httptools

from gateway.asking import Reader
from gateway.chunked import whole_chunks
from gateway.refusal import Fields, Headers, Refusal, broken, late, truncated

MAX_HEAD_BYTES = 65_536


class EngineState(StrEnum):
    """Where the connection stands: between two answers, in one, or at its end."""

    IDLE = "idle"
    ASKED = "asked"  # no byte of an answer yet
    HEAD = "head"
    BODY = "body"
    COMPLETE = "complete"
    CLOSED = "closed"


# Bound once: in Python 3.11 each `EngineState.X` ends in a Python function of the enum's class.
_IDLE, _ASKED, _HEAD, _BODY, _COMPLETE, _CLOSED = EngineState


class Length(StrEnum):
    """How the end of an answer's body is known."""

    COUNTED = "counted"
    CHUNKED = "chunked"
    UNTIL_CLOSE = "until close"


_COUNTED, _CHUNKED, _UNTIL_CLOSE = Length


class Pool(Protocol):
    """Where connections come from and go back to."""

    def give_back(self, connection: "EngineConnection") -> None:
        """It may serve another request."""

    def lost(self, connection: "EngineConnection") -> None:
        """It is closed, or will be."""

    def ask_again(self, request: bytes, reader: Reader) -> None:
        """A reused connection died before any byte of an answer: the request may go out once more."""


class ResponseParser(Protocol):
    """What is used of httptools' parser, which has no types of its own."""

    def feed_data(self, data: bytes) -> None: ...

    def get_status_code(self) -> int: ...

    def should_keep_alive(self) -> bool: ...


class EngineConnection(asyncio.Protocol):
    """An `asking.Carrier` of one request at a time. Bytes that nobody asked for end it.

    idle_since_s: when it went back to the pool, None while in use.
    """

    __slots__ = (
        "_at_chunk",
        "_first",
        "_head_bytes",
        "_headers",
        "_keeps",
        "_length",
        "_loop",
        "_parser",
        "_paused",
        "_pieces",
        "_pool",
        "_reader",
        "_request",
        "_reused",
        "_stall_timeout_s",
        "_stall_timer",
        "_status",
        "_transport",
        "idle_since_s",
        "state",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: Pool, stall_timeout_s: float) -> None:
        self._loop = loop
        self._pool = pool
        self._stall_timeout_s = stall_timeout_s
        self._stall_timer: asyncio.TimerHandle | None = None
        self._parser: ResponseParser = httptools.HttpResponseParser(self)
        self._reader: Reader | None = None
        self._request = b""
        self._reused = self._paused = False
        self.state = _IDLE
        self.idle_since_s: float | None = None
        self._begin()

    def __repr__(self) -> str:
        return f"<EngineConnection [{self.state.value} | {self._length.value} | {self._reader!r}]>"

    def ask(self, request: bytes, reader: Reader) -> None:
        """Sends the request; its reader is told the rest. For an idle connection."""
        self._reader = reader
        self._request = request
        self.state = _ASKED
        reader.carrier = self
        self._transport.write(request)

    def release(self) -> None:
        self._reader = None
        unsent = self._transport.get_write_buffer_size()  # an engine may answer what it has not read
        if self.state is not _COMPLETE or not self._keeps or self._paused or unsent:
            self._drop()
            return
        self.state = _IDLE
        self._reused = True
        self._begin()
        self._pool.give_back(self)

    def pause(self) -> None:
        self._paused = True
        self._transport.pause_reading()

    def resume(self) -> None:
        self._paused = False
        self._transport.resume_reading()

    def abort(self) -> None:
        """Drops the connection at once; whoever asked on it is told."""
        self._fail(truncated("The gateway is stopping."))

    def _begin(self) -> None:
        self._headers: Headers = []
        self._first: Fields = {}
        self._status = 0
        self._head_bytes = 0
        self._pieces: list[bytes] = []
        self._length = _COUNTED
        self._keeps = False
        self._at_chunk = False

    def _drop(self) -> None:
        if self.state is not _CLOSED:
            self.state = _CLOSED
            self._pool.lost(self)
            self._transport.abort()

    def _fail(self, fault: Refusal) -> None:
        reader, self._reader = self._reader, None
        self._drop()
        if reader is not None:
            reader.answer_fails(fault)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        if self.state is _ASKED:
            self._die_unheard()
        elif self.state is _HEAD:
            self._fail(broken("The engine closed the connection within the head of its answer."))
        elif self.state is _BODY and self._length is _UNTIL_CLOSE and exc is None:
            self.state = _COMPLETE
            self._tell(None)
        elif self.state is _BODY:
            self._fail(truncated("The engine's answer broke off."))
        else:
            self._drop()
        self._reader = None
        del self._parser  # it knows this object

    def _die_unheard(self) -> None:
        reader, request = self._reader, self._request
        if self._reused and reader is not None:
            self._drop()
            self._pool.ask_again(request, reader)
        else:
            self._fail(broken("The engine closed the connection without an answer."))

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if self._at_chunk and reader is not None:
            start = whole_chunks(data)
            if start and reader.answer_chunks(data, start):
                return
        if reader is None or self.state is _COMPLETE:
            self._drop()
            return
        if self.state is _ASKED:
            self.state = _HEAD
            self._request = b""
        head_due = self.state is _HEAD
        if head_due:
            self._head_bytes += len(data)
        fault = self._parse(data)
        self._at_chunk = self._at_chunk and data.endswith(b"\r\n")  # not within the next one's size
        if head_due and self.state is not _HEAD:
            reader.answer_begins(self._status, self._headers, self._first)
        self._tell(fault)

    def _parse(self, data: bytes) -> Refusal | None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._keeps = False
            if self.state is _HEAD:
                return broken("The engine's answer is not HTTP.", "upstream_garbage")
            if self.state is _BODY:
                return truncated("The engine's answer is malformed.")
        if self.state is _HEAD and self._head_bytes > MAX_HEAD_BYTES:
            return broken("The head of the engine's answer is too large.", "upstream_too_large")
        return None

    def _tell(self, fault: Refusal | None) -> None:
        """What the parser has read. Each word may be the reader's last."""
        complete = self.state is _COMPLETE
        if self._reader is not None and (self._pieces or complete):
            pieces, self._pieces = self._pieces, []
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._reader.answer_arrived(data, complete)
        if fault is not None:
            self._fail(fault)

    def pause_writing(self) -> None:
        self._stall_timer = self._loop.call_later(self._stall_timeout_s, self._on_stall)

    def resume_writing(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _on_stall(self) -> None:
        self._fail(late("The engine stopped reading the request.", "upstream_write_timeout"))

    # httptools

    def on_message_begin(self) -> None:
        if self.state is _COMPLETE:
            self._keeps = False  # bytes behind the answer: nobody asked for them

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.state is _HEAD:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if self.state is not _HEAD or self._status < 200:
            return
        fields = self._first = dict(reversed(self._headers))
        if b"transfer-encoding" in fields:
            self._length = _CHUNKED
        elif b"content-length" not in fields and self._status not in (204, 304):
            self._length = _UNTIL_CLOSE
        self.state = _BODY

    def on_body(self, body: bytes) -> None:
        if self.state is _BODY:
            self._pieces.append(body)

    def on_chunk_header(self) -> None:
        self._at_chunk = False

    def on_chunk_complete(self) -> None:
        self._at_chunk = True

    def on_message_complete(self) -> None:
        self._at_chunk = False
        if self.state is _HEAD:  # 100 Continue, 103 Early Hints: the answer is still to come
            self._headers = []
        elif self.state is _BODY:
            self.state = _COMPLETE
            self._keeps = self._parser.should_keep_alive()
