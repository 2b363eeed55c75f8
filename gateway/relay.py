"""Handing the engine's answer on: the real status, whole events, nothing buffered, and an honest end."""

import time
from collections.abc import Mapping

import orjson
from starlette.types import Send

from gateway import sse
from gateway.call import Call, CancelReason
from gateway.metrics import Metrics
from gateway.outcome import Outcome
from gateway.refusal import Headers, Refusal, broken, truncated
from gateway.request_body import ChatRequest, header
from gateway.settings import Settings
from gateway.upstream_connection import Answer

PASSED_ON = frozenset(
    (b"content-type", b"retry-after", b"openai-processing-ms", b"x-ratelimit-limit-requests")
)


class StreamBrokenError(Exception):
    """A stream that the client has begun to read must end with this refusal as its last event."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Relay:
    """Relays one answer to one client. Sets the call's times, its outcome and its code."""

    def __init__(self, call: Call, settings: Settings, metrics: Metrics, send: Send) -> None:
        self._call = call
        self._settings = settings
        self._metrics = metrics
        self.send = send
        self.started = False
        self.done = False
        self._last_s: float | None = None

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
        elif status in (429, 503):
            raise Refusal(
                Outcome.UPSTREAM_OVERLOADED,
                503,
                "The engine is overloaded.",
                "server_overloaded",
                come_back=True,
            )
        elif 400 <= status < 500:
            await self._refused_by_engine(answer)
        elif 300 <= status < 400:
            raise broken("The engine answered with a redirect.", "upstream_redirect")
        else:
            raise broken(f"The engine failed with status {status}.")

    async def _read_all(self, answer: Answer) -> bytes:
        if _encoded(answer.headers):
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
        if content.get("error") and "choices" not in content:
            raise _in_band(content["error"])
        self._metrics.count_tokens(content.get("usage"))
        self._call.outcome, self._call.code = Outcome.OK, answer.status
        await self._send_whole(answer, body)

    async def _refused_by_engine(self, answer: Answer) -> None:
        body = await self._read_all(answer)
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            content = None
        if type(content) is not dict:
            raise Refusal(
                Outcome.INVALID,
                answer.status,
                f"The engine refused the request with status {answer.status}.",
                "invalid_request_error",
            )
        self._call.outcome, self._call.code = Outcome.INVALID, answer.status
        await self._send_whole(answer, body)

    async def _send_whole(self, answer: Answer, body: bytes) -> None:
        await self._start(answer, [(b"content-length", b"%d" % len(body))])
        await self.send({"type": "http.response.body", "body": body})
        self.done = True

    async def _start(self, answer: Answer, more: Headers) -> None:
        headers = [(name, value) for name, value in answer.headers if name in PASSED_ON and _sane(value)]
        self.started = True
        await self.send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [*headers, *more, *common_headers(self._call)],
            }
        )

    async def _events(self, answer: Answer, request: ChatRequest) -> None:
        if _encoded(answer.headers):
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
        call, idle_s = self._call, self._settings.idle_timeout_s
        while piece := await answer.read():
            now_s = time.monotonic()
            try:
                events = cutter.feed(piece)
            except sse.EventTooLongError as error:
                raise broken(f"The engine's stream is malformed: {error}.", "upstream_too_large") from None
            if not events:
                continue
            if call.first_s is None or b'"usage"' in events or b'"error"' in events or b"[DONE]" in events:
                events = self._inspected(events, request, now_s)
            else:
                self._metrics.inter_token.observe(now_s - (self._last_s or now_s))
                self._last_s = now_s
            call.renew(now_s)
            if events:
                if not self.started:
                    call.enter(CancelReason.IDLE, idle_s, now_s)
                    await self._start(answer, STREAM_HEADERS)
                await self.send({"type": "http.response.body", "body": events, "more_body": True})
        if not self.done and call.outcome is None:
            raise truncated("The engine's stream ended before it was complete.")
        if call.outcome is None:
            call.outcome, call.code = Outcome.OK, answer.status
        await self.send({"type": "http.response.body", "body": b""})

    def _inspected(self, events: bytes, request: ChatRequest, now_s: float) -> bytes:
        """Looks into each event for content, usage, errors and the end. Returns what the client gets."""
        kept = []
        for event in sse.split(events):
            data = sse.payload(event)
            if data == b"[DONE]":
                self.done = True
            elif data:
                chunk = sse.fields(event)
                if chunk.get("error"):
                    self._note_error(chunk["error"])
                usage = chunk.get("usage")
                if usage:
                    self._metrics.count_tokens(usage)
                    if request.usage_hidden and not chunk.get("choices"):
                        continue
                self._note_content(chunk, now_s)
            kept.append(event)
        return b"".join(kept)

    def _note_error(self, error: object) -> None:
        if not self.started:
            raise _in_band(error)
        self._call.outcome, self._call.code = Outcome.UPSTREAM_ERROR, 200

    def _note_content(self, chunk: Mapping[str, object], now_s: float) -> None:
        call = self._call
        if not sse.has_content(chunk):
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


def _in_band(error: object) -> Refusal:
    """An error under a 200, before anything was sent: its own status where it names a usable one."""
    code = error.get("code") if isinstance(error, dict) else None
    message = str(error.get("message", ""))[:500] if isinstance(error, dict) else ""
    if type(code) is int and 400 <= code < 500 and code != 429:
        return Refusal(
            Outcome.INVALID, code, message or "The engine refused the request.", "invalid_request_error"
        )
    if code in (429, 503):
        return Refusal(
            Outcome.UPSTREAM_OVERLOADED, 503, "The engine is overloaded.", "server_overloaded", come_back=True
        )
    return broken("The engine reported an error instead of an answer.")


def _encoded(headers: Headers) -> bool:
    return (header(headers, b"content-encoding") or b"identity").strip().lower() not in (b"identity", b"")


def _sane(value: bytes) -> bool:
    return len(value) <= 1024 and value.isascii() and value.decode("ascii").isprintable()
