"""The HTTP/1.1 server side, with the bounds that uvicorn's httptools protocol lacks.

Added here: a deadline for a request's head, bounds on its size, its fields and its target, the Host
check, a bound on connections, and OpenAI-shaped refusals; and a request learns at once that its client
left or stopped reading. A client that closes its sending side after a request counts as gone: half-open
HTTP clients do not exist in practice, and waiting for a reset would keep the engine busy for nobody.
Pipelined requests are not answered: the connection closes after the first answer, which HTTP/1.1 allows
and which every client that pipelines must expect. An offer to upgrade to another protocol is ignored.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.call import Call, CancelReason, extensions_with
from gateway.cork import Cork, PlainCork
from gateway.outcome import Outcome, Route
from gateway.refusal import Refusal, invalid, too_large
from gateway.settings import Settings
from gateway.upgrade import declined


@dataclass(slots=True)
class Listener:
    """What all client connections share: the bounds, and where refusals are counted.

    count: called with route, outcome and status of each refusal that is made below the application.
    """

    settings: Settings
    count: Callable[[Route, Outcome, int], None]
    max_connections: int
    refused_connections: int = 0
    open: "set[GatewayProtocol]" = field(default_factory=set)


LINGER_S = 1.0
"""A client that has its last answer and sends nothing for so long has stopped sending."""


class _StopError(Exception):
    """Raised in a parser callback: no further byte of this connection is of interest."""


class GatewayProtocol(HttpToolsProtocol):
    """One client connection. `_ignoring_input`: whatever else comes in is thrown away."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Listener],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._listener = app_state["listener"]
        self._settings = self._listener.settings
        self.call: Call | None = None
        self.gone = False
        self.stalled = False
        self._ignoring_input = False
        self._input_s = 0.0
        self._linger_s = max(LINGER_S, self._settings.body_timeout_s)
        self._declined: bytes | None = None
        self._in_head = True
        self._head_bytes = 0
        self._refusal: Refusal | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        if len(self._listener.open) >= self._listener.max_connections:
            self._listener.refused_connections += 1
            self._ignoring_input = True
            self._linger_s = LINGER_S
            self._answer(
                Refusal(Outcome.RATE_LIMITED, 503, "Too many connections.", "server_overloaded", wait_s=1.0)
            )
            return
        self._listener.open.add(self)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._listener.open.discard(self)
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        if self.call is not None:
            self.call.cancel(CancelReason.CLIENT_LEFT)

    def data_received(self, data: bytes) -> None:
        if self._ignoring_input:
            self._input_s = time.monotonic()
            return
        self._unset_keepalive_if_required()
        if self._in_head:
            if self._head_timer is None:
                self._await_head()
            self._head_bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._on_parser_error()
            return
        if self._in_head and self._head_bytes > self._settings.max_header_bytes:
            self._refuse(
                too_large(f"The request head is larger than {self._settings.max_header_bytes} bytes.", 431)
            )

    def _feed(self, data: bytes) -> None:
        """Hands `data` to the parser. Where that stops at an offer to upgrade, taking the body for the other
        protocol's, another one begins with the same request without the offer.
        """
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as stop:
                if self._declined is None:
                    raise httptools.HttpParserError("CONNECT is not served") from None
                head, self._declined = self._declined, None
                data = data[stop.args[0] :]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.parser.feed_data(head)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self.scope["extensions"] = extensions_with(self)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._settings.max_url_bytes:
            self._refusal = too_large(
                f"The request target is longer than {self._settings.max_url_bytes} bytes.", 414
            )
            raise _StopError

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > self._settings.max_header_count:
            self._refusal = too_large(
                f"The request has more than {self._settings.max_header_count} fields.", 431
            )
            raise _StopError

    def on_headers_complete(self) -> None:
        version, method = self.parser.get_http_version(), self.parser.get_method()
        if self.parser.should_upgrade() and method != b"CONNECT":
            self._declined = declined(method, self.url, version, self.headers)
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
            raise _StopError
        if sum(len(name) + len(value) + 4 for name, value in self.headers) > self._settings.max_header_bytes:
            self._refusal = too_large(
                f"The request head is larger than {self._settings.max_header_bytes} bytes.", 431
            )
            raise _StopError
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) != 1 and (hosts or version != "1.0"):
            self._refusal = invalid("The request must have exactly one Host field.", "host")
            raise _StopError
        if hosts and not _is_host(hosts[0]):
            self._refusal = invalid("The Host field is malformed.", "host")
            raise _StopError
        self._in_head = False
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()
        if version == "1.0" and method != b"HEAD":
            cork: Cork = PlainCork(self.transport, self._close_after_answer)
        else:
            cork = Cork(self.transport, self._close_after_answer, method != b"HEAD")
        if version == "1.0":
            self.cycle.waiting_for_100_continue = False
        elif self.expect_100_continue:
            # Until the body is here nobody knows whether it will come after an early answer.
            self.cycle.keep_alive = False
        self.cycle.transport = cast("asyncio.Transport", cork)

    def on_message_complete(self) -> None:
        if self._declined is not None:
            return
        super().on_message_complete()
        if self.expect_100_continue and self.parser.get_http_version() != "1.0":
            self.cycle.keep_alive = self.parser.should_keep_alive()
        self._in_head = True
        # uvicorn pauses reading above 64 KiB of body; a departure can only be noticed while reading.
        self.flow.resume_reading()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.stalled = True
        self._stall_timer = self.loop.call_later(self._settings.stall_timeout_s, self._on_stall)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.stalled = False
        if self.call is not None:
            self.call.renew(time.monotonic())
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def linger(self) -> None:
        """Ends the connection after the present answer so that the client can read it to its end, although it
        is still sending its request.

        Closing with unread bytes resets the connection, and the reset can overtake the answer. So our side is
        closed first, and what still comes is thrown away for a moment.
        """
        self._ignoring_input = True
        self.flow.resume_reading()

    def _close_after_answer(self) -> None:
        if self._ignoring_input or self.cycle.more_body:
            self.linger()
            self.half_close()
        else:
            self.transport.close()

    def half_close(self) -> None:
        """Closes our side now; the connection when the client closes its own, has sent nothing for LINGER_S,
        or has had BODY_TIMEOUT_S.
        """
        if self.transport.is_closing():
            return
        self.transport.write_eof()
        self._input_s = time.monotonic()
        self._wait_for_quiet(self._input_s + self._linger_s)

    def _wait_for_quiet(self, latest_s: float) -> None:
        remaining_s = min(self._input_s + LINGER_S, latest_s) - time.monotonic()
        if remaining_s <= 0 or self.gone:
            self.transport.abort()
        else:
            self.loop.call_later(remaining_s + 0.001, self._wait_for_quiet, latest_s)

    def abort(self) -> None:
        """Drops the connection at once."""
        self.cycle.disconnected = True
        self.transport.abort()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self._settings.header_timeout_s, self._on_late_head)

    def _on_late_head(self) -> None:
        self._head_timer = None
        if self._head_bytes:
            self._refuse(invalid("The request head was not complete in time.", status=408))
        else:
            self.transport.close()

    def _on_stall(self) -> None:
        if self.call is not None:
            self.call.cancel(CancelReason.STALLED)
        self.transport.abort()

    def _on_parser_error(self) -> None:
        self._ignoring_input = True
        refusal, self._refusal = self._refusal, None
        if self.cycle is not None and not self.cycle.response_complete:
            # The fault lies behind a request that is being answered: let that answer finish, then close.
            self.cycle.keep_alive = False
            if not self._in_head:
                self.loop.call_soon(self._on_broken_body)  # after the request's task has had its first step
            return
        self._refuse(refusal or invalid("The request is not valid HTTP/1.1.", status=400))

    def _on_broken_body(self) -> None:
        if self.call is not None:
            self.call.cancel(CancelReason.MALFORMED)

    def _refuse(self, refusal: Refusal) -> None:
        self._ignoring_input = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
            return
        self._listener.count(Route.OTHER, refusal.outcome, refusal.status)
        self._answer(refusal)

    def _answer(self, refusal: Refusal) -> None:
        refusal.close = True
        body = refusal.body()
        fields = b"".join(b"%s: %s\r\n" % pair for pair in refusal.headers(body))
        self.transport.write(STATUS_LINE[refusal.status] + fields + b"\r\n" + body)
        self.half_close()


def _is_host(value: bytes) -> bool:
    return 0 < len(value) <= 255 and not any(
        byte <= 32 or byte in b'/?#@\\,<>"' or byte >= 127 for byte in value
    )
