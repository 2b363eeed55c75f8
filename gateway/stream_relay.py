"""Relaying a stream: whole events, unchanged, as they come."""

import time
from collections.abc import Mapping
from math import inf

from gateway import chunk, sse
from gateway.call import Call
from gateway.client import Client
from gateway.engine_failure import EngineFailure
from gateway.engine_word import compressed
from gateway.finishing import HELD_FOR_S, FinishingEvent, lacks_fingerprint
from gateway.header_fields import for_client
from gateway.metrics import Metrics
from gateway.outcome import Outcome
from gateway.refusal import Fields, Headers, Refusal, broken, lines, truncated
from gateway.request_body import ChatRequest

STREAM_HEADERS: Headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


class StreamRelay:
    """A `relay.Relay`. Nothing is held back but an unfinished event, and for a moment the one in which the
    answer finishes. A status is sent with the first event only, so that an early failure has its own.
    """

    __slots__ = (
        "_begins",
        "_call",
        "_client",
        "_cutter",
        "_failure",
        "_finished",
        "_finishing",
        "_grammar",
        "_head",
        "_is_plain",
        "_last_s",
        "_metrics",
        "_others",
        "_plain",
        "_slots",
        "_status",
        "_usage_hidden",
        "began",
        "due_s",
        "over",
        "pieces",
        "speaks",
        "usage",
        "whole",
    )
    streams = True

    def __init__(
        self,
        call: Call,
        client: Client,
        metrics: Metrics,
        failure: EngineFailure,
        max_event_bytes: int,
        request: ChatRequest,
    ) -> None:
        self._call = call
        self._client = client
        self._metrics = metrics
        self._failure = failure
        self._cutter = sse.EventCutter(max_event_bytes)
        self._slots = request.slots
        self._grammar = request.served.grammar
        self._is_plain = self._grammar.plain
        self._begins = self._grammar.begins
        self._others = 0
        self._usage_hidden = request.usage_hidden
        self._head = b""
        self._status = 200
        self._last_s = 0.0
        self._plain = False
        self._finished: set[int] = set()
        self.usage: dict[str, object] = {}
        self.pieces = 0
        self._finishing = FinishingEvent()
        self.began = self.speaks = self.whole = self.over = False
        self.due_s = inf

    def begin(self, status: int, headers: Headers, fields: Fields) -> None:
        """With the head of the answer. Raises Refusal for one that is no readable stream."""
        if not fields.get(b"content-type", b"").startswith(b"text/event-stream"):
            raise broken(
                "The engine answered a stream request with something else.", "upstream_bad_content_type"
            )
        if compressed(fields):
            raise broken(
                "The engine's stream is compressed, which was not asked for.", "upstream_bad_encoding"
            )
        self._status = status
        ours = [pair for pair in STREAM_HEADERS if pair[0] not in fields]
        self._head = for_client(headers, fields) + lines(ours)

    def chunks_arrived(self, data: bytes, start: int, now_s: float) -> bool:
        if not self._plain or not self._is_plain(data, start, b"}\n\n\r\n"):
            return False
        self.pieces += data.count(self._begins, start)
        self._metrics.inter_token.observe(now_s - self._last_s)
        self._last_s = now_s
        self._client.send_chunks(data)
        return True

    def arrived(self, data: bytes, now_s: float) -> bool:
        if self.whole:
            self.over = True  # it talks on after its end: the client hears none of it
            return False
        try:
            events = self._cutter.feed(data)
        except sse.EventTooLongError as error:
            raise broken(f"The engine's stream is malformed: {error}.", "upstream_too_large") from None
        if events:
            self._pass_on(events, now_s)
        # From here on a chunk of plain events can go on as it is.
        self._plain = self._call.first_s is not None and not (self._finishing.held or self.whole)
        self._plain = self._plain and not self._cutter.unfinished
        return bool(events)

    def ended(self) -> None:
        if not self.whole and (events := self._cutter.rest()):
            self._pass_on(events, time.monotonic())
        self._send(self.unsent())
        call = self._call
        # Not every engine sends [DONE]; then a choice that was finished is whole.
        whole = self.whole or len(self._finished) >= self._slots
        if call.outcome is None:
            if not whole:
                raise truncated("The engine's stream ended before it was complete.")
            call.ends(Outcome.OK, self._status)
        if not self.began:
            self._begin(b"")
        self._client.end()

    def failed(self, fault: Refusal) -> None:
        if not self.whole:
            raise fault
        self.ended()

    def on_due(self) -> None:
        self.due_s = inf
        self._send(self.unsent())

    def unsent(self) -> bytes:
        return self._finishing.release()

    @property
    def events(self) -> int:
        return self.pieces + self._others

    def close(self) -> None:
        self._metrics.count_tokens(self.usage)
        self._call.used(self.usage)
        self._call.last_s = self._last_s or None

    def _pass_on(self, events: bytes, now_s: float) -> None:
        """Looks into no more of them than it must: up to the first content, and from the first that may say
        something else than content. What comes fast comes many at a time.
        """
        kept = []
        while events and self._call.first_s is None and not self.whole:
            end = sse.first_bytes(events)
            kept.append(self._inspected(events[:end], now_s))
            events = events[end:]
        if events and not self.whole:
            plain = 0 if self._finishing.held else self._grammar.plain_bytes(events)
            if plain:
                self.pieces += events.count(self._begins, 0, plain)
                self._note_time(now_s)
                kept.append(events[:plain])
            if plain < len(events):
                kept.append(self._inspected(events[plain:], now_s))
        self._send(kept[0] if len(kept) == 1 else b"".join(kept))

    def _send(self, events: bytes) -> None:
        if not events:
            return
        if self.began:
            self._client.send(events)
        else:
            self._begin(events)

    def _begin(self, first: bytes) -> None:
        self.began = True
        self.speaks = self.speaks or not self._grammar.prefaced
        head, self._head = self._head, b""
        self._client.begin(self._status, head + self._call.fields(), first)

    def _inspected(self, events: bytes, now_s: float) -> bytes:
        """Looks into each event for content, usage, errors and the end. Returns what the client gets: nothing
        of what comes after the end.
        """
        kept = []
        for event in sse.split(events):
            name, data = sse.parse(event)
            if data == sse.DONE:
                self.whole = True
                kept += [self.unsent(), event]
                break
            fields = sse.fields(data)
            if name == b"error":
                error = fields and (self._grammar.error_in(fields) or fields)
                self._note_error(error or data.decode(errors="replace"))
            elif fields is not None:
                self._note(fields, now_s)
                if self._grammar.is_last(fields):
                    self.whole = True
                    kept += [self.unsent(), event]
                    break
                if self._usage_hidden and fields.get("usage") and not fields.get("choices"):
                    kept.append(self._finishing.release(fields))
                    continue
                if self._finishes_unseen(fields):
                    kept.append(self.unsent())
                    self._finishing.hold(event)
                    self.due_s = now_s + HELD_FOR_S
                    continue
            elif data:
                self._note_failure()
            kept += [self.unsent(), event]
        return b"".join(kept)

    def _finishes_unseen(self, fields: Mapping[str, object]) -> bool:
        """Whether the answer finishes here, and only the usage event, which the client will not see, may tell
        its fingerprint.
        """
        return (
            self._usage_hidden
            and len(self._finished) >= self._slots
            and bool(self._grammar.finishes(fields))
            and lacks_fingerprint(fields)
        )

    def _note(self, fields: Mapping[str, object], now_s: float) -> None:
        grammar = self._grammar
        error = grammar.error_in(fields)
        if error is not None:
            self._note_error(error)
        usage = grammar.usage(fields)
        if type(usage) is dict:
            # Some engines put the running totals into every chunk: the last ones count.
            self.usage |= {key: value for key, value in usage.items() if chunk.count(value) is not None}
        for index, reason in grammar.finishes(fields):
            self._finished.add(index)
            if reason in chunk.FAILED:
                self._note_failure()
        self._note_content(fields, now_s)

    def _note_error(self, error: object) -> None:
        if not self.began:
            raise self._failure.in_band(error)
        self._note_failure()

    def _note_failure(self) -> None:
        self._call.ends(Outcome.UPSTREAM_ERROR, 200)

    def _note_content(self, fields: Mapping[str, object], now_s: float) -> None:
        call = self._call
        if not self._grammar.has_content(fields):
            self._others += 1
            return
        self.pieces += 1
        if call.first_s is None:
            call.first_s = self._last_s = now_s
            self.speaks = True
        else:
            self._note_time(now_s)

    def _note_time(self, now_s: float) -> None:
        if now_s > self._last_s:
            self._metrics.inter_token.observe(now_s - self._last_s)
            self._last_s = now_s
