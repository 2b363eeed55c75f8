"""One client's connection: requests read off it, one answer written for each, and how it ends.

A client that closes its sending side after a request counts as gone: half-open HTTP clients do not exist in
practice, and waiting for a reset would keep the engine busy for nobody.
"""

import asyncio
import time
from enum import StrEnum
from math import inf
from typing import cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.chunked import content
from gateway.client import Exchange
from gateway.listener import Listener
from gateway.outcome import Outcome, Route
from gateway.refusal import Refusal, invalid
from gateway.request_reader import Reading, RequestReader, UnreadableError
from gateway.status_line import status_line

_NOTHING, _PART_OF_HEAD, _BODY, _COMPLETE = Reading.IDLE, Reading.HEAD, Reading.BODY, Reading.COMPLETE

LINGER_S = 1.0
"""A client that has its last answer and sends nothing for so long has stopped sending."""


class ClientState(StrEnum):
    """What the connection waits for."""

    HEAD = "head"  # of its first request, or the rest of a later one's
    IDLE = "idle"
    SERVING = "serving"
    LINGERING = "lingering"  # the last answer is out: the client may read it to its end
    CLOSED = "closed"


# Bound once: in Python 3.11 each `ClientState.X` ends in a Python function of the enum's class.
_HEAD, _IDLE, _SERVING, _LINGERING, _CLOSED = ClientState


class ClientConnection(asyncio.Protocol):
    """A `listener.FrontClient`, made by uvicorn's server for each connection that it accepts."""

    __slots__ = (
        "_bodiless",
        "_chunks",
        "_due_s",
        "_exchange",
        "_input_s",
        "_keeps",
        "_linger_s",
        "_listener",
        "_reader",
        "_server",
        "_stall_timer",
        "_transport",
        "fields",
        "gone",
        "stalled",
        "state",
        "tick",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Listener],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._listener = app_state["listener"]
        self._server = server_state
        self._reader = RequestReader(self._listener.settings)
        self._exchange: Exchange | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._input_s = 0.0
        self._linger_s = max(LINGER_S, self._listener.settings.body_timeout_s)
        self._keeps = True
        self._chunks = self._bodiless = False
        self.state = _HEAD
        self.fields = b""
        self.gone = self.stalled = False
        self.tick = 0

    def __repr__(self) -> str:
        return f"<ClientConnection [{self.state.value} | {self._reader.state.value} | {self._exchange!r}]>"

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)  # type: ignore[arg-type]  # it names its own protocols
        listener = self._listener
        if len(listener.open) >= listener.max_connections:
            listener.refused_connections += 1
            self._linger_s = LINGER_S
            text = "Too many connections."
            refusal = Refusal(Outcome.RATE_LIMITED, 503, text, "server_overloaded", wait_s=1.0)
            self._answer_last(refusal)
            return
        listener.open.add(self)
        self._due_s = time.monotonic() + listener.settings.header_timeout_s
        listener.deadlines.watch(self, self._due_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.state = _CLOSED
        self._server.connections.discard(self)
        self._listener.open.discard(self)
        self._listener.deadlines.forget(self)
        self._reader.close()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_left()

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader.stopped:
            self._input_s = time.monotonic()
            return
        try:
            reader.feed(data)
        except UnreadableError as fault:
            self._on_unreadable(fault.refusal)
            return
        if self._exchange is not None:
            self._exchange.body_arrived()
        elif reader.state in (_BODY, _COMPLETE):
            self._serve()
        elif self.state is _IDLE and reader.state is _PART_OF_HEAD:
            self.state = _HEAD
            self._due_s = time.monotonic() + self._listener.settings.header_timeout_s
            self._listener.deadlines.watch(self, self._due_s)

    def pause_writing(self) -> None:
        self.stalled = True
        loop = asyncio.get_running_loop()
        self._stall_timer = loop.call_later(self._listener.settings.stall_timeout_s, self._on_stall)
        if self._exchange is not None:
            self._exchange.client_paused()

    def resume_writing(self) -> None:
        self.stalled = False
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        if self._exchange is not None:
            self._exchange.client_resumed()

    def _serve(self) -> None:
        reader = self._reader
        self.state = _SERVING
        self._chunks = reader.version != "1.0"
        self._bodiless = reader.method == b"HEAD"
        exchange = self._listener.desk.serve(self, reader)
        if self.state is _SERVING:
            self._exchange = exchange

    def _on_unreadable(self, refusal: Refusal) -> None:
        reader = self._reader
        reader.stop()
        if self.state is not _SERVING:
            if reader.state not in (_BODY, _COMPLETE):
                self._listener.count(Route.OTHER, refusal.outcome, refusal.status)
                self._answer_last(refusal)
                return
            self._serve()
        # The fault lies in the body, or behind a request that is answered first.
        if self._exchange is not None and reader.state is _BODY:
            self._exchange.body_broken()

    def on_due(self, now_s: float) -> float:
        """See `deadlines.Timed`."""
        if self.state is _SERVING:
            return now_s + self._listener.settings.keep_alive_s
        if now_s < self._due_s:
            return self._due_s
        if self.state is _HEAD and self._reader.state is not _NOTHING:
            refusal = invalid("The request head was not complete in time.", status=408)
            self._listener.count(Route.OTHER, refusal.outcome, refusal.status)
            self._answer_last(refusal)
        elif self.state is not _LINGERING:
            self._transport.close()
        return inf

    def _on_stall(self) -> None:
        if self._exchange is not None:
            self._exchange.client_stalled()
        self._transport.abort()

    # What a request does with it: see `client.Client` and `listener.FrontClient`.

    def ask_for_body(self) -> None:
        if self._reader.expects_continue:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def answer(self, status: int, fields: bytes, body: bytes) -> None:
        head = self._head(status, fields, b"" if status == 204 else b"content-length: %d\r\n" % len(body))
        self._transport.write(head if self._bodiless else head + body)
        self._answered()

    def begin(self, status: int, fields: bytes, first: bytes) -> None:
        head = self._head(status, fields, b"transfer-encoding: chunked\r\n" if self._chunks else b"")
        self._transport.write(head + self._framed(first))

    def send(self, data: bytes) -> None:
        self._transport.write(self._framed(data))

    def send_chunks(self, chunks: bytes) -> None:
        self._transport.write(chunks if self._chunks else content(chunks))

    def end(self, last: bytes = b"") -> None:
        if self._chunks:
            self._transport.write(self._framed(last) + b"0\r\n\r\n")
        elif last:
            self._transport.write(last)
        self._answered()

    def close_after_answer(self) -> None:
        self._reader.stop()

    def abort(self) -> None:
        self._transport.abort()

    def shutdown(self) -> None:
        """The server stops: no further request."""
        self._reader.keep_alive = self._keeps = False
        if self.state in (_HEAD, _IDLE):
            self._transport.close()

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if data and self._chunks else data

    def _head(self, status: int, fields: bytes, length: bytes) -> bytes:
        reader = self._reader
        # Of a client that was asked late for its body nobody knows whether it still comes.
        awaited = reader.expects_continue and reader.state is not _COMPLETE
        self._keeps = reader.keep_alive and not (reader.stopped or awaited)
        date = self._listener.date(self._server.default_headers)
        close = b"" if self._keeps else b"connection: close\r\n"
        return b"".join((status_line(status), date, fields, self.fields, length, close, b"\r\n"))

    def _answered(self) -> None:
        self._exchange = None
        self.fields = b""
        self._server.total_requests += 1
        reader = self._reader
        if self._keeps and not reader.stopped:
            self.state = _IDLE
            self._due_s = time.monotonic() + self._listener.settings.keep_alive_s
            reader.next_request()
        elif reader.state is _COMPLETE and not reader.stopped:
            self.state = _LINGERING
            self._transport.close()
        else:
            self._half_close()

    def _answer_last(self, refusal: Refusal) -> None:
        self._reader.stop()
        self._bodiless = False
        body = refusal.body()
        self.answer(refusal.status, refusal.fields(), body)

    def _half_close(self) -> None:
        """Closes our side now; the connection when the client closes its own, has sent nothing for LINGER_S,
        or has had BODY_TIMEOUT_S.

        Closing with unread bytes resets the connection, and the reset can overtake the answer. So our side is
        closed first, and what still comes is thrown away for a moment.
        """
        self.state = _LINGERING
        self._reader.stop()
        if self._transport.is_closing():
            return
        self._transport.write_eof()
        self._input_s = time.monotonic()
        self._wait_for_quiet(self._input_s + self._linger_s)

    def _wait_for_quiet(self, latest_s: float) -> None:
        remaining_s = min(self._input_s + LINGER_S, latest_s) - time.monotonic()
        if remaining_s <= 0 or self.gone:
            self._transport.abort()
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(remaining_s + 0.001, self._wait_for_quiet, latest_s)
