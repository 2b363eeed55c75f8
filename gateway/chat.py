"""The hot path: one completion request from its head to the last byte of its answer, in one coroutine.

    head → key → body → checks → slot (or wait) → engine → relay → slot back → counted

`_with_slot` alone takes the slot and gives it back. The request ends in `__call__`, once, with one outcome.
"""

import asyncio
import time
from math import inf
from os import urandom

from starlette.types import Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from gateway.access import Access
from gateway.account import Account
from gateway.call import Call, CancelReason, connection_of
from gateway.endings import cancelled, refused
from gateway.engine import Engine
from gateway.engine_failure import EngineFailure
from gateway.engine_word import refused_key, told_wait_s
from gateway.header_fields import for_engine
from gateway.metrics import Metrics
from gateway.outcome import Outcome, Route
from gateway.refusal import Headers, Refusal, internal, unreachable
from gateway.relay import Relay, StreamBrokenError, common_headers
from gateway.request_body import ChatRequest, check_head, header, parse, read
from gateway.settings import Settings
from gateway.ticket import State
from gateway.waiting import WaitingRoom

PATHS = {Route.CHAT: b"/v1/chat/completions", Route.COMPLETIONS: b"/v1/completions"}


class Chat:
    """Answers `/v1/chat/completions` and `/v1/completions`. An ASGI application for their POST requests."""

    def __init__(
        self,
        settings: Settings,
        room: WaitingRoom,
        engine: Engine,
        metrics: Metrics,
        access: Access,
        account: Account,
        log: FilteringBoundLogger,
    ) -> None:
        self._settings = settings
        self._models = settings.models()
        self._room = room
        self._engine = engine
        self._metrics = metrics
        self._access = access
        self._account = account
        self._log = log
        self._passes_clients_key = access.passes_clients_key(engine.endpoint)
        self._failure = EngineFailure(engine.endpoint)
        self.calls: set[Call] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = Route.COMPLETIONS if scope["path"] == "/v1/completions" else Route.CHAT
        version = self._room.admission.limits.version
        call = Call(connection_of(scope), route, _request_id(scope["headers"]), version)
        relay = Relay(call, self._settings, self._metrics, self._failure, send)
        self.calls.add(call)
        self._metrics.arrived += 1
        try:
            await self._serve(call, relay, scope, receive)
        except asyncio.CancelledError:
            await self._on_cancelled(call, relay)
        except StreamBrokenError as broken:
            await self._end_stream(call, relay, broken.refusal)
        except Refusal as refusal:
            await self._refuse(call, relay, refusal)
        except Exception:
            self._log.exception("internal error", request_id=call.request_id.decode())
            await self._refuse(call, relay, internal())
        finally:
            call.close()
            self.calls.discard(call)
            self._account.finish_request(call)

    def tasks(self) -> list[asyncio.Task[None]]:
        """The tasks of the requests that run or wait now."""
        return [call.task for call in self.calls if call.task is not None]

    async def _serve(self, call: Call, relay: Relay, scope: Scope, receive: Receive) -> None:
        headers: Headers = scope["headers"]
        self._access.check_client(headers)
        check_head(headers, self._settings.max_body_bytes)
        call.whole_until(call.arrived_s + self._room.admission.limits.request_timeout_s)
        call.enter(CancelReason.BODY, self._settings.body_timeout_s, call.arrived_s)
        body = await read(receive, self._settings.max_body_bytes)
        call.received_s = time.monotonic()
        call.enter(CancelReason.WHOLE, inf, call.received_s)
        state = self._room.refused()
        if state is not None:
            # Surely refused: reading the request's JSON would only make refusing more expensive.
            raise refused(state, self._room.admission.limits)
        settings = self._settings
        request = parse(
            body, call.route, settings.max_choices, settings.model_name, self._models, settings.ask_usage
        )
        await self._with_slot(call, relay, scope, request)

    async def _with_slot(self, call: Call, relay: Relay, scope: Scope, request: ChatRequest) -> None:
        ticket = self._room.offer(request.slots, request.facts)
        try:
            if ticket.state is State.WAITING:
                call.offered = True
                try:
                    await self._room.wait(ticket)
                finally:
                    call.queue_s = time.monotonic() - ticket.arrived_s
            if ticket.state is not State.RUNNING:
                raise refused(ticket.state, self._room.admission.limits)
            call.offered = True
            await self._ask_engine(call, relay, scope, request)
        finally:
            self._room.end(ticket)

    async def _ask_engine(self, call: Call, relay: Relay, scope: Scope, request: ChatRequest) -> None:
        now_s = time.monotonic()
        if not self._engine.breaker.allows(now_s):
            raise unreachable("The engine cannot be reached; the next try is due in a moment.")
        call.dispatched_s = now_s
        call.limits_version = self._room.admission.limits.version
        call.enter(CancelReason.FIRST_EVENT, self._settings.ttft_timeout_s if request.stream else inf, now_s)
        try:
            answer = await self._engine.upstream.send(
                PATHS[call.route], self._headers(call, scope["headers"]), request.content
            )
        except Refusal as refusal:
            if refusal.kind == "upstream_unreachable":
                self._engine.breaker.unreachable(now_s)
            raise
        try:
            call.head_s = time.monotonic()
            self._engine.breaker.reached()
            refused_ours = refused_key(
                answer.status,
                asks_for=header(answer.headers, b"www-authenticate") or b"",
                clients_key_passed=self._passes_clients_key,
                endpoint=self._engine.endpoint,
            )
            if refused_ours is not None:
                raise refused_ours
            await relay.answer(answer, request)
        except Refusal as refusal:
            self._tell_wait(refusal, told_wait_s(answer.headers))
            raise
        finally:
            answer.close()

    def _tell_wait(self, refusal: Refusal, told_s: float | None) -> None:
        """Lets a refusal that the engine caused tell the client at least the engine's own wait."""
        if told_s is not None:
            refusal.wait_s = max(told_s, self._room.wait_s())
            self._metrics.retry_after.observe(refusal.wait_s)

    def _headers(self, call: Call, headers: Headers) -> Headers:
        passed = for_engine(headers, keys_pass=self._passes_clients_key)
        passed += [(b"accept-encoding", b"identity"), (b"x-request-id", call.request_id)]
        return passed

    async def _on_cancelled(self, call: Call, relay: Relay) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        if relay.done:
            # The client has the whole answer; only the connection's housekeeping was cancelled.
            self._set(call, call.outcome or Outcome.OK, call.code or 200)
            if call.cancel_reason is CancelReason.CLIENT_LEFT or not call.answerable():
                call.abandon()
            else:
                call.close()
                await relay.send({"type": "http.response.body", "body": b""})
            return
        if call.cancel_reason in (CancelReason.CLIENT_LEFT, CancelReason.STALLED):
            self._set(call, Outcome.CLIENT_ABORT, 499)
            call.abandon()
            return
        refusal = cancelled(call, self._room.admission.limits)
        if not call.answerable():
            self._set(call, refusal.outcome, refusal.status)
            call.abandon()
        elif relay.started:
            await self._end_stream(call, relay, refusal)
        else:
            await self._refuse(call, relay, refusal)

    async def _refuse(self, call: Call, relay: Relay, refusal: Refusal) -> None:
        if relay.started:
            await self._end_stream(call, relay, refusal)
            return
        self._set(call, refusal.outcome, refusal.status)
        if refusal.come_back and refusal.wait_s is None:
            refusal.wait_s = self._room.wait_s()
            self._metrics.retry_after.observe(refusal.wait_s)
        if refusal.close:
            call.linger()
        body = refusal.body()
        headers = [*refusal.headers(body), *common_headers(call)]
        call.close()
        await relay.send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await relay.send({"type": "http.response.body", "body": body})

    async def _end_stream(self, call: Call, relay: Relay, refusal: Refusal) -> None:
        self._set(call, refusal.outcome, call.code or 200)
        call.close()
        await relay.send(
            {"type": "http.response.body", "body": relay.unsent() + refusal.event(), "more_body": True}
        )
        await relay.send({"type": "http.response.body", "body": b""})

    def _set(self, call: Call, outcome: Outcome, code: int) -> None:
        call.outcome, call.code = outcome, code


def _request_id(headers: Headers) -> bytes:
    given = header(headers, b"x-request-id")
    if given and len(given) <= 128 and all(33 <= byte <= 126 for byte in given):
        return given
    return urandom(16).hex().encode()
