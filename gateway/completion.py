"""One request for the engine, from its head to the last byte of its answer. Nothing in it waits: each thing
that happens to it is one call, which runs to its end.

    BODY ──► WAITING ──► ASKED ──► RELAYING ──► ENDED
      └─────────┴──────────┴──────────┴───────────┘   refused, cut short, or answered

`_end` is the only way out of it, and the only place where a slot goes back. What takes no slot is asked at
once.
"""

import time
from math import inf

from gateway.asking import Carrier
from gateway.call import Call, CancelReason
from gateway.client import Client
from gateway.endings import cancelled, refused
from gateway.engine_word import told_wait_s
from gateway.error_form import body_of
from gateway.header_fields import for_engine
from gateway.outcome import Outcome
from gateway.patience import Patience
from gateway.refusal import Fields, Headers, Refusal, internal, unreachable
from gateway.relay import Relay
from gateway.request_body import ChatRequest, parse, too_large_body
from gateway.request_reader import Reading, RequestReader
from gateway.scarce import scarce
from gateway.served import Served
from gateway.service import Service
from gateway.settling import taken
from gateway.stage import ASKED, BODY, ENDED, RELAYING, WAITING, event
from gateway.ticket import NOTHING_KNOWN, State, Ticket
from gateway.token_needs import TokenNeed

_WHOLE, _FIRST_EVENT = CancelReason.WHOLE, CancelReason.FIRST_EVENT
_RUNS, _WAITS, _COMPLETE = State.RUNNING, State.WAITING, Reading.COMPLETE


class Completion:
    """A `client.Exchange`, an `asking.Reader`, a `deadlines.Timed`, and a waiter for a slot."""

    __slots__ = (
        *("_client", "_engine_says", "_need", "_patience", "_relay", "_request", "_served", "_service"),
        *("_ticket", "_wish", "call", "carrier", "stage", "tick"),
    )

    def __init__(
        self, service: Service, served: Served, client: Client, request: RequestReader, call: Call
    ) -> None:
        self._service = service
        self._served = served
        self._client = client
        self._request = request
        self._wish: ChatRequest | None = None
        self._ticket: Ticket | None = None
        self._need: TokenNeed | None = None
        self._engine_says: Fields = {}
        self._relay: Relay | None = None
        self._patience = Patience(call.arrived_s + service.room.admission.limits.request_timeout_s)
        self.call = call
        self.carrier: Carrier | None = None
        self.stage = BODY
        self.tick = 0
        service.running.add(self)

    def __repr__(self) -> str:
        return f"<Completion [{self.stage.value} | {self._ticket!r} | {self._relay!r}]>"

    # The body, and a slot.

    def await_body(self) -> None:
        """Its head is good, and its body not complete."""
        body_timeout_s = self._service.settings.body_timeout_s
        next_s = self._patience.enter(CancelReason.BODY, body_timeout_s, self.call.arrived_s)
        self._service.deadlines.watch(self, next_s)

    @event
    def body_arrived(self) -> None:
        if self.stage is not BODY:
            return
        if self._request.body_bytes > self._service.settings.max_body_bytes:
            raise too_large_body(self._service.settings.max_body_bytes)
        if self._request.state is _COMPLETE:
            fault = self._no_place()
            if fault is not None:
                # Surely refused: reading the request's JSON would only make refusing more expensive.
                raise fault
            self.ask_for_slot()

    def _no_place(self) -> Refusal | None:
        service, lane = self._service, self.call.lane
        if not self._served.takes_slots:
            return service.crowd()
        state = service.room.refused(NOTHING_KNOWN if lane is None else lane.facts)
        if state is None:
            return None
        admission = service.room.admission
        return refused(state, admission.limits, lane, scarce(admission))

    @event
    def ask_for_slot(self) -> None:
        """Its body is complete, and it would not be refused whatever it asks for."""
        service, call = self._service, self.call
        call.received_s = time.monotonic()
        self._patience.enter(_WHOLE, inf, call.received_s)
        self._wish = parse(self._request.take(), self._served, service.rules, call.lane)
        if call.asked is not None:
            call.asked.learn(self._wish)
        if call.within_s is not None:
            self._wish.facts = self._wish.facts._replace(due_s=call.received_s + call.within_s)
        if not self._served.takes_slots:
            service.counting.add(self)
            self._ask_engine()
            return
        self._need = self._wish.need
        self._ticket = service.room.offer(self._wish.slots, self._wish.facts, self)
        if self._ticket.state is _WAITS:
            self.stage = WAITING
            call.offered = True
            self._watch()
        else:
            self._run(self._ticket)

    @event
    def ticket_changed(self) -> None:
        """The wait is over: see `waiting.Waiter`."""
        if self._ticket is not None and self.stage is WAITING:
            self.call.queue_s = time.monotonic() - self._ticket.arrived_s
            self._run(self._ticket)

    def _run(self, ticket: Ticket) -> None:
        if ticket.state is not _RUNS:
            admission = self._service.room.admission
            raise refused(ticket.state, admission.limits, self.call.lane, scarce(admission))
        self.call.offered = True
        self._ask_engine()

    # The engine.

    def _ask_engine(self) -> None:
        service, call, wish = self._service, self.call, self._wish
        assert wish is not None
        now_s = time.monotonic()
        if not service.engine.breaker.allows(now_s):
            raise unreachable("The engine cannot be reached; the next try is due in a moment.")
        self.stage = ASKED
        call.dispatched_s = now_s
        call.limits_version = service.room.admission.limits.version
        if call.lane is not None:
            call.lanes_version = service.room.admission.lanes.version
        lasting_s = service.settings.ttft_timeout_s if wish.stream else inf
        service.deadlines.watch(self, self._patience.enter(_FIRST_EVENT, lasting_s, now_s))
        asked, keys_pass = self._request, service.engine.passes_clients_key and call.lane is None
        lines = for_engine(asked.headers, asked.fields, call.request_id, keys_pass=keys_pass)
        service.engine.upstream.ask(self._served.path, lines, wish.content, self)

    @event
    def answer_begins(self, status: int, headers: Headers, fields: Fields) -> None:
        service, call, wish = self._service, self.call, self._wish
        assert wish is not None
        self._wish = None  # its body is long, and an answer may be too
        self._engine_says = fields
        self.stage = RELAYING
        call.head_s = time.monotonic()
        service.engine.begins(status, fields, call)
        self._relay = service.relays.of(status, headers, fields, call, self._client, wish)
        if self._relay.due_s < inf:
            self._watch()
        if self._client.stalled:
            self.client_paused()

    @event
    def answer_arrived(self, data: bytes, complete: bool) -> None:
        relay = self._relay
        assert relay is not None
        if data:
            self._hand_on(relay, data)
        if complete or relay.over:
            relay.ended()
            self._end()

    def _hand_on(self, relay: Relay, data: bytes) -> None:
        now_s = time.monotonic()
        if relay.arrived(data, now_s):
            if relay.speaks and self._patience.phase is _FIRST_EVENT:
                self._engine_says = {}
                self._patience.enter(CancelReason.IDLE, self._service.settings.idle_timeout_s, now_s)
                self._watch()
            self._patience.renew(now_s)
        if self._need is not None:
            self._count_prompt(self._need, relay)
        if relay.due_s < inf:
            self._watch()

    def _count_prompt(self, need: TokenNeed, relay: Relay) -> None:
        tokens = need.counted(relay.usage)
        if tokens is not None and self._ticket is not None:
            self._service.room.hold(self._ticket, tokens)

    def answer_chunks(self, chunks: bytes, start: int) -> bool:
        relay = self._relay
        now_s = time.monotonic()
        if relay is None or not relay.chunks_arrived(chunks, start, now_s):
            return False
        self._patience.renew(now_s)
        return True

    @event
    def answer_fails(self, fault: Refusal) -> None:
        if self._relay is None:
            self._service.engine.fails(fault, self.call.dispatched_s or 0.0)
            raise fault
        self._relay.failed(fault)
        self._end()

    # The client.

    def body_broken(self) -> None:
        self.cut(CancelReason.MALFORMED)

    def client_left(self) -> None:
        self.cut(CancelReason.CLIENT_LEFT)

    def client_stalled(self) -> None:
        self.cut(CancelReason.STALLED)

    def client_paused(self) -> None:
        if self.stage is RELAYING and self.carrier is not None:
            self.carrier.pause()

    def client_resumed(self) -> None:
        if self.stage is RELAYING and self.carrier is not None:
            self._patience.renew(time.monotonic())
            self.carrier.resume()

    # Time.

    def on_due(self, now_s: float) -> float:
        """See `deadlines.Timed`."""
        if self._client.stalled:
            # The client is what holds things up: the engine's silence is not counted against it.
            self._patience.renew(now_s)
        if self._relay is not None and now_s >= self._relay.due_s:
            self._relay_is_due()
        lost = self._patience.lost(now_s)
        if lost is not None:
            self.cut(lost)
        return inf if self.stage is ENDED else self._next_s()

    @event
    def _relay_is_due(self) -> None:
        assert self._relay is not None
        self._relay.on_due()

    def _watch(self) -> None:
        self._service.deadlines.watch(self, self._next_s())

    def _next_s(self) -> float:
        next_s = self._patience.next_s()
        return next_s if self._relay is None else min(next_s, self._relay.due_s)

    # The ends.

    def cut(self, reason: CancelReason) -> None:
        """Ends it early. Only the first reason counts."""
        if self.stage is ENDED:
            return
        call, client, relay = self.call, self._client, self._relay
        call.cancel_reason = reason
        deaf = client.gone or client.stalled
        if relay is not None and relay.whole:
            if not deaf:  # the client has the whole answer, and the engine does not end it
                self.answer_arrived(b"", True)
                return
            call.ends(call.outcome or Outcome.OK, call.code or 200)
        elif reason in (CancelReason.CLIENT_LEFT, CancelReason.STALLED):
            call.ends(Outcome.CLIENT_ABORT, 499)
        else:
            refusal = cancelled(call, self._service.room.admission.limits)
            if not deaf:
                self.refuse(refusal)
                return
            call.ends(refusal.outcome, self._served.errors.status_of(refusal))
        self._end()
        client.abort()

    def fail(self, error: Exception) -> None:
        """Ends it with what went wrong in an event: a refusal, or a bug of ours."""
        if isinstance(error, Refusal):
            self.refuse(error, told_wait_s(self._engine_says))
        else:
            name = self.call.request_id.decode()
            self._service.log.error("internal error", request_id=name, exc_info=error)
            self.refuse(internal())

    def refuse(self, refusal: Refusal, told_s: float | None = None) -> None:
        """Ends it with this answer, or as the last event of a stream that the client has begun to read.

        told_s: the wait that the engine asks for.
        """
        relay, client = self._relay, self._client
        if relay is not None and relay.began:
            self.call.ends(refusal.outcome, self.call.code or 200)
            self._end()
            client.end(relay.unsent() + self._served.errors.event(refusal, relay.events))
            return
        form = self._served.errors
        status = form.status_of(refusal)
        self.call.ends(refusal.outcome, status)
        self._end()
        self._service.waits.complete(refusal, told_s, self.call.lane)
        if refusal.close:
            client.close_after_answer()
        client.answer(status, refusal.fields() + self.call.fields(), body_of(form, refusal))

    def _end(self) -> None:
        """The way out, once: nobody is told anything any more, the slot goes back, and it is counted."""
        service, call, ticket = self._service, self.call, self._ticket
        if self.stage is WAITING and ticket is not None:
            call.queue_s = time.monotonic() - ticket.arrived_s
        self.stage = ENDED
        service.running.discard(self)
        service.counting.discard(self)
        service.deadlines.forget(self)
        try:
            if self.carrier is not None:
                self.carrier.release()
            if self._relay is not None:
                self._relay.close()
        finally:
            if ticket is not None:
                self._ticket = None  # it knows this object: without the circle both are freed now
                lane = call.lane
                if lane is None:
                    service.room.end(ticket)
                else:
                    tokens = taken(ticket, call, lane, self._relay, time.monotonic())
                    service.room.end(ticket, tokens)
            if self._need is not None:
                whole = call.outcome is Outcome.OK
                self._need.learn(call.prompt_tokens, call.output_tokens, whole=whole)
            service.account.finish_request(call)
