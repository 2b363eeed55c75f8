"""Handing the engine's answer on: the real status, whole events, nothing buffered, and an honest end."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress

import orjson
from starlette.types import Send

from gateway import chunk, sse
from gateway.call import Call, CancelReason
from gateway.engine_failure import EngineFailure
from gateway.engine_word import compressed
from gateway.finishing import HELD_FOR_S, FinishingEvent, lacks_fingerprint
from gateway.header_fields import absent_from, for_client
from gateway.metrics import Metrics
from gateway.outcome import Outcome
from gateway.refusal import Headers, Refusal, broken, truncated
from gateway.request_body import ChatRequest, header
from gateway.settings import Settings
from gateway.upstream_connection import Answer


class StreamBrokenError(Exception):
    """A stream that the client has begun to read must end with this refusal as its last event."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Relay:
    """Relays one answer to one client. Sets the call's times, its outcome and its code."""

    def __init__(
        self, call: Call, settings: Settings, metrics: Metrics, failure: EngineFailure, send: Send
    ) -> None:
        self._call = call
        self._settings = settings
        self._metrics = metrics
        self._failure = failure
        self.send = send
        self.started = False
        self.done = False
        self._last_s: float | None = None
        self._finished: set[int] = set()
        self._usage: dict[str, object] = {}
        self._finishing = FinishingEvent()

    def unsent(self) -> bytes:
        """What is still held back of a stream that ends now; once."""
        return self._finishing.release()

    async def answer(self, answer: Answer, request: ChatRequest) -> None:
        """The whole answer. Raises Refusal before anything was sent, StreamBrokenError after."""
        status = answer.status
        if 200 <= status < 300:
            kind = header(answer.headers, b"content-type") or b""
            if not request.stream:
                await self._whole(answer)
            elif kind.startswith(b"text/event-stream"):
                await self._events(answer, request)
            else:
                raise broken(
                    "The engine answered a stream request with something else.", "upstream_bad_content_type"
                )
        elif 400 <= status < 500 and status != 429:
            await self._refused_by_engine(answer)
        else:
            raise await self._failure.of_status(answer)

    async def _read_all(self, answer: Answer) -> bytes:
        if compressed(answer.headers):
            raise broken(
                "The engine's answer is compressed, which was not asked for.", "upstream_bad_encoding"
            )
        parts, size = [], 0
        while piece := await answer.read():
            size += len(piece)
            if size > self._settings.max_answer_bytes:
                raise broken("The engine's answer is too large.", "upstream_too_large")
            parts.append(piece)
        return b"".join(parts)

    async def _whole(self, answer: Answer) -> None:
        body = await self._read_all(answer)
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise broken("The engine's answer is not JSON.", "upstream_garbage") from None
        if type(content) is not dict:
            raise broken("The engine's answer is not a JSON object.", "upstream_garbage")
        error = chunk.error_in(content)
        if error is not None and not content.get("choices"):
            raise self._failure.in_band(error)
        self._metrics.count_tokens(content.get("usage"))
        failed = any(reason in chunk.FAILED for _, reason in chunk.finishes(content))
        self._call.outcome = Outcome.UPSTREAM_ERROR if failed else Outcome.OK
        self._call.code = answer.status
        await self._send_whole(answer, body)

    async def _refused_by_engine(self, answer: Answer) -> None:
        body = await self._read_all(answer)
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            content = None
        if type(content) is not dict:
            raise self._failure.of_refusal(answer, body)
        self._call.outcome, self._call.code = Outcome.INVALID, answer.status
        await self._send_whole(answer, body)

    async def _send_whole(self, answer: Answer, body: bytes) -> None:
        await self._start(answer, [(b"content-length", b"%d" % len(body))])
        await self.send({"type": "http.response.body", "body": body})
        self.done = True

    async def _start(self, answer: Answer, more: Headers) -> None:
        headers = for_client(answer.headers)
        more = absent_from(headers, more)
        self.started = True
        await self.send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [*headers, *more, *common_headers(self._call)],
            }
        )

    async def _events(self, answer: Answer, request: ChatRequest) -> None:
        if compressed(answer.headers):
            raise broken(
                "The engine's stream is compressed, which was not asked for.", "upstream_bad_encoding"
            )
        try:
            await self._events_until_done(answer, request)
        except Refusal as refusal:
            if not self.started:
                raise
            raise StreamBrokenError(refusal) from refusal

    async def _events_until_done(self, answer: Answer, request: ChatRequest) -> None:
        cutter = sse.EventCutter(self._settings.max_event_bytes)
        call = self._call
        try:
            while piece := await self._next(answer):
                if self.done:
                    break  # It talks on after its end: the connection goes, and the client hears none of it.
                now_s = time.monotonic()
                try:
                    events = cutter.feed(piece)
                except sse.EventTooLongError as error:
                    text = f"The engine's stream is malformed: {error}."
                    raise broken(text, "upstream_too_large") from None
                if events:
                    await self._pass_on(answer, request, events, now_s)
            if not self.done and (events := cutter.rest()):
                await self._pass_on(answer, request, events, time.monotonic())
            await self._send_events(answer, self.unsent())
        finally:
            self._count_usage()
        # Not every engine sends [DONE]; then a choice that was finished is whole.
        whole = self.done or len(self._finished) >= request.slots
        if not whole and call.outcome is None:
            raise truncated("The engine's stream ended before it was complete.")
        if call.outcome is None:
            call.outcome, call.code = Outcome.OK, answer.status
        if not self.started:
            await self._start(answer, STREAM_HEADERS)
        await self.send({"type": "http.response.body", "body": b""})

    async def _next(self, answer: Answer) -> bytes:
        try:
            if self._finishing.held:
                with suppress(TimeoutError):
                    async with asyncio.timeout(HELD_FOR_S):
                        return await answer.read()
                await self._send_events(answer, self.unsent())
            return await answer.read()
        except Refusal:
            if self.done:
                return b""
            raise

    async def _pass_on(self, answer: Answer, request: ChatRequest, events: bytes, now_s: float) -> None:
        if self._call.first_s is None or self._finishing.held or not sse.plain(events):
            events = self._inspected(events, request, now_s)
        else:
            self._metrics.inter_token.observe(now_s - (self._last_s or now_s))
            self._last_s = now_s
        self._call.renew(now_s)
        await self._send_events(answer, events)

    async def _send_events(self, answer: Answer, events: bytes) -> None:
        if not events:
            return
        if not self.started:
            self._call.enter(CancelReason.IDLE, self._settings.idle_timeout_s, time.monotonic())
            await self._start(answer, STREAM_HEADERS)
        await self.send({"type": "http.response.body", "body": events, "more_body": True})

    def _inspected(self, events: bytes, request: ChatRequest, now_s: float) -> bytes:
        """Looks into each event for content, usage, errors and the end. Returns what the client gets: nothing
        of what comes after the end.
        """
        kept = []
        for event in sse.split(events):
            name, data = sse.parse(event)
            if data == sse.DONE:
                self.done = True
                self._count_usage()
                kept += [self.unsent(), event]
                break
            fields = sse.fields(data)
            if name == b"error":
                error = fields and (chunk.error_in(fields) or fields)
                self._note_error(error or data.decode(errors="replace"))
            elif fields is not None:
                self._note(fields, now_s)
                if request.usage_hidden and fields.get("usage") and not fields.get("choices"):
                    kept.append(self._finishing.release(fields))
                    continue
                if self._finishes_unseen(fields, request):
                    kept.append(self.unsent())
                    self._finishing.hold(event)
                    continue
            elif data:
                self._note_failure()
            kept += [self.unsent(), event]
        return b"".join(kept)

    def _finishes_unseen(self, fields: Mapping[str, object], request: ChatRequest) -> bool:
        """Whether the answer finishes here, and only the usage event, which the client will not see, may tell
        its fingerprint.
        """
        return (
            request.usage_hidden
            and len(self._finished) >= request.slots
            and any(chunk.finishes(fields))
            and lacks_fingerprint(fields)
        )

    def _note(self, fields: Mapping[str, object], now_s: float) -> None:
        error = chunk.error_in(fields)
        if error is not None:
            self._note_error(error)
        usage = fields.get("usage")
        if type(usage) is dict:
            # Some engines put the running totals into every chunk: the last ones count.
            self._usage |= {key: value for key, value in usage.items() if chunk.count(value) is not None}
        for index, reason in chunk.finishes(fields):
            self._finished.add(index)
            if reason in chunk.FAILED:
                self._note_failure()
        self._note_content(fields, now_s)

    def _note_error(self, error: object) -> None:
        if not self.started:
            raise self._failure.in_band(error)
        self._note_failure()

    def _note_failure(self) -> None:
        self._call.outcome, self._call.code = Outcome.UPSTREAM_ERROR, 200

    def _count_usage(self) -> None:
        self._metrics.count_tokens(self._usage)
        self._usage = {}

    def _note_content(self, fields: Mapping[str, object], now_s: float) -> None:
        call = self._call
        if not chunk.has_content(fields):
            return
        if call.first_s is not None:
            if self._last_s is not None and now_s > self._last_s:
                self._metrics.inter_token.observe(now_s - self._last_s)
        else:
            call.first_s = now_s
        self._last_s = now_s


STREAM_HEADERS: Headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


def common_headers(call: Call) -> Headers:
    """What every answer carries: which request this was, under which limits, and where its time went."""
    timing = b"queue;dur=%.3f" % (call.queue_s * 1000)
    if call.head_s is not None and call.dispatched_s is not None:
        timing += b", upstream;dur=%.3f" % ((call.head_s - call.dispatched_s) * 1000)
    return [
        (b"x-request-id", call.request_id),
        (b"x-gateway-limits-version", b"%d" % call.limits_version),
        (b"server-timing", timing),
    ]
