"""One request's life: the times measured on the way, the deadline of its present phase,
and the one way to cancel it.

A request is one task. Whatever ends it early (its client left, a deadline passed, the process must stop)
cancels that task once, with a reason; the reason that came first stands. There are no watcher tasks, and no
second coroutine that could leak.
"""

import asyncio
import time
from enum import Enum
from math import inf
from typing import Protocol

from starlette.types import Scope

from gateway.outcome import Outcome, Route


class CancelReason(Enum):
    """Why a request was cancelled: its client, a phase that took too long, or the process. A value is the
    sentence for the client and the log.
    """

    CLIENT_LEFT = "client left"
    BODY = "the request body was not complete in time"
    WHOLE = "the whole request took longer than allowed"
    FIRST_EVENT = "the engine sent no first token in time"
    IDLE = "the engine fell silent between two tokens"
    STALLED = "the client stopped reading its answer"
    MALFORMED = "the request body is not valid HTTP/1.1"
    STOPPING = "the gateway is stopping"


class ClientConnection(Protocol):
    """The client's connection, as far as a request has to do with it.

    call: the request that is told when the client leaves or stops reading, None between requests; gone: the
    client has left; stalled: it does not read what is sent to it.
    """

    call: "Call | None"
    gone: bool
    stalled: bool

    def linger(self) -> None:
        """Lets the client read its answer to the end although it is still sending its request."""

    def abort(self) -> None:
        """Drops the connection at once, unsent bytes included."""


_EXTENSION = "gateway.connection"


def extensions_with(connection: ClientConnection) -> dict[str, dict[object, object]]:
    """The ASGI scope's `extensions` in which the connection travels to its request."""
    return {_EXTENSION: {"protocol": connection}}


def connection_of(scope: Scope) -> ClientConnection:
    """The connection on which a request came. Raises KeyError under any server but ours."""
    connection: ClientConnection = scope["extensions"][_EXTENSION]["protocol"]
    return connection


class Call:
    """A request in the gateway. Points in time are `time.monotonic()` seconds, None until they happen.

    arrived_s: head read; received_s: body read; dispatched_s: sent to the engine; head_s: its answer's head
    read; first_s: first content chunk relayed. queue_s: a span, the wait for a slot. offered: whether
    it ran or waited. cancel_reason: None unless it was cancelled.
    """

    __slots__ = (
        "_connection",
        "_lasting_s",
        "_loop",
        "_phase",
        "_phase_s",
        "_timer",
        "_timer_s",
        "_whole_s",
        "arrived_s",
        "cancel_reason",
        "code",
        "dispatched_s",
        "first_s",
        "head_s",
        "limits_version",
        "offered",
        "outcome",
        "queue_s",
        "received_s",
        "request_id",
        "route",
        "task",
    )

    def __init__(
        self, connection: ClientConnection, route: Route, request_id: bytes, limits_version: int
    ) -> None:
        self.route = route
        self.request_id = request_id
        self.limits_version = limits_version
        self.arrived_s = time.monotonic()
        self.received_s: float | None = None
        self.dispatched_s: float | None = None
        self.head_s: float | None = None
        self.first_s: float | None = None
        self.queue_s = 0.0
        self.offered = False
        self.outcome: Outcome | None = None
        self.code = 0
        self.cancel_reason: CancelReason | None = None
        self.task: asyncio.Task[None] | None = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._phase = CancelReason.WHOLE
        self._phase_s = inf
        self._lasting_s = inf
        self._whole_s = inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = inf
        self._connection = connection
        connection.call = self
        if connection.gone:
            self.cancel(CancelReason.CLIENT_LEFT)

    def cancel(self, reason: CancelReason) -> None:
        """Cancels the request's task. Only the first reason counts."""
        if self.cancel_reason is None and self.task is not None:
            self.cancel_reason = reason
            self.task.cancel()

    def whole_until(self, deadline_s: float) -> None:
        """Sets the end of the whole request, whatever the phase."""
        self._whole_s = deadline_s
        self._watch(deadline_s)

    def enter(self, phase: CancelReason, lasting_s: float, now_s: float) -> None:
        """Enters a phase that may last `lasting_s` (inf: no bound of its own)."""
        self._phase = phase
        self._lasting_s = lasting_s
        self._phase_s = now_s + lasting_s
        self._watch(self._phase_s)

    def renew(self, now_s: float) -> None:
        """The present phase begins again: one store, so it may be called for every chunk."""
        self._phase_s = now_s + self._lasting_s

    def answerable(self) -> bool:
        """Whether the client can still be told anything: it is there and reads."""
        return not (self._connection.gone or self._connection.stalled)

    def linger(self) -> None:
        """The request is refused while its body may still be on the way: see `ClientConnection.linger`."""
        self._connection.linger()

    def abandon(self) -> None:
        """Drops the client's connection at once, unsent bytes included."""
        self._connection.abort()

    def close(self) -> None:
        """From here on nothing cancels this request."""
        self.task = None
        self._connection.call = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self, deadline_s: float) -> None:
        # The timer is moved only when it would fire too late; when it fires too early it arms itself again.
        if deadline_s >= self._timer_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._arm(deadline_s)

    def _arm(self, deadline_s: float) -> None:
        self._timer_s = deadline_s
        delay_s = (
            max(0.0, deadline_s - time.monotonic()) + 0.001
        )  # the loop's clock counts whole milliseconds
        self._timer = self._loop.call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_s = inf
        now_s = time.monotonic()
        if self._connection.stalled:
            # The client is what holds things up: the engine's silence is not counted against it.
            self.renew(now_s)
        if now_s >= self._phase_s:
            self.cancel(self._phase)
        elif now_s >= self._whole_s:
            self.cancel(CancelReason.WHOLE)
        else:
            self._arm(min(self._phase_s, self._whole_s))
