"""The answer to one chat completion: HTTP response bytes in, times and facts out. No sockets, no clock.

For whoever times an answer, under gevent or asyncio:

    answer = Answer()
    while not answer.complete:
        data = await reader.read(65536)
        if not data:
            answer.ended_by_close(time.monotonic())
            break
        answer.feed(data, time.monotonic())
    outcome, error = answer.outcome()

An answer is used for one response, and may be asked for its outcome at any time. What to send before it comes
from `loadtests.sending.request`, with a body from `loadtests.sending.bodies`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import httptools
import orjson

from loadtests.outcome import Outcome, outcome_of_status, outcome_of_stream_error
from loadtests.sending import chunk as chunks
from loadtests.sending.sse import DONE, ErrorPayload, SseDecoder

_KEPT_BODY = 4096
# The parser's own, which holds what the callbacks raise, and that of an event which is no JSON object.
_UNREADABLE = (httptools.HttpParserError, ValueError)
_DURATION = re.compile(r"([a-z_]+)\s*;[^,]*?dur=([0-9.]+)")


class BrokenAnswerError(ValueError):
    """The bytes are not an HTTP response, or their events are not those of a chat completion."""


class Answer:
    """One HTTP response being read; every time is the `now_s` of the feed that completed the thing.

    headers: by lower-case name. chunk_s: time of each chunk with content, of all choices together.
    visible_s: time of the first one that is not reasoning alone. chunk_usage: running count of output tokens
    at each of those chunks, where the engine reports it. prompt_tokens, output_tokens: as the engine counted
    them, the last ones it named; None where it does not tell. done: the stream said that it ended ([DONE], or
    a finish reason of every choice), without which a 200 is truncated. complete: the last byte of the
    response is in. keep_alive: the connection may be used again.
    error_code, error_text: of an error event or body; who reads may set the text when the connection breaks.
    """

    __slots__ = (
        "_body",
        "_decoder",
        "_error_first",
        "_finished",
        "_now_s",
        "_over",
        "_parser",
        "_seen",
        "chunk_s",
        "chunk_usage",
        "complete",
        "done",
        "error_code",
        "error_text",
        "finish_reason",
        "finished_s",
        "headers",
        "headers_s",
        "keep_alive",
        "output_tokens",
        "prompt_tokens",
        "status",
        "streaming",
        "visible_s",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._decoder = SseDecoder()
        self._body = b""
        self._now_s = 0.0
        self._over = False
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._error_first = False
        self.status: int | None = None
        self.headers: dict[bytes, bytes] = {}
        self.headers_s: float | None = None
        self.finished_s: float | None = None
        self.chunk_s: list[float] = []
        self.chunk_usage: list[int] = []
        self.visible_s: float | None = None
        self.prompt_tokens: int | None = None
        self.output_tokens: int | None = None
        self.finish_reason: str | None = None
        self.error_code: str | None = None
        self.error_text: str | None = None
        self.streaming = False
        self.done = False
        self.complete = False
        self.keep_alive = False

    def feed(self, data: bytes, now_s: float) -> None:
        """Take the bytes that arrived at `now_s` (seconds, on any clock). Raises BrokenAnswerError."""
        self._now_s = now_s
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            raise BrokenAnswerError("the server switches to another protocol") from error
        except _UNREADABLE as error:
            raise BrokenAnswerError(str(error)) from error

    def ended_by_close(self, now_s: float) -> None:
        """The peer closed: the end of a response without a length, if its stream is whole;
        else it stays incomplete."""
        self._take_rest()
        if self.headers_s is not None and b"content-length" not in self.headers and self.done:
            self.complete, self.finished_s = True, now_s

    def close(self) -> None:
        """Let go of the parser, which knows this answer: nothing more is fed. The answer stays."""
        del self._parser

    # The parser calls these.

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.headers_s = self._now_s
        self.streaming = self.headers.get(b"content-type", b"").startswith(b"text/event-stream")

    def on_body(self, body: bytes) -> None:
        if not self.streaming or self.status != 200:
            self._body = (self._body + body)[: 1_000_000 if self.status == 200 else _KEPT_BODY]
            return
        for payload in self._decoder.feed(body):
            self._event(payload)

    def on_message_complete(self) -> None:
        if self.status is not None and self.status < 200:  # an interim answer: the real one follows
            self.status, self.headers_s = None, None
            self.headers.clear()
            return
        self._take_rest()
        self.complete, self.finished_s = True, self._now_s
        self.keep_alive = bool(self._parser.should_keep_alive())
        if self.status == 200 and not self.streaming:
            self._unstreamed()

    # What the body says.

    def _event(self, payload: bytes) -> None:
        if self._over:  # what an engine sends after [DONE] is not part of the answer
            return
        if payload.startswith(b"{") and type(payload) is bytes:  # nearly every event there is
            self._chunk(orjson.loads(payload))
            return
        text = payload.strip()
        if text == DONE:
            self._over = self.done = True
        elif type(payload) is ErrorPayload:
            self._take_named_error(text)
        elif text:
            self._chunk(orjson.loads(text))

    def _chunk(self, chunk: object) -> None:
        if type(chunk) is not dict:
            raise ValueError("an event is not a JSON object")
        error = chunks.error_in(chunk)
        if error is not None:
            self._error_first = not self._seen
            self._take_error(error)
        usage = chunk.get("usage")
        output_tokens = None if usage is None else self._take_usage(usage)
        choices = chunks.choices_of(chunk)
        content, visible = chunks.content_of(choices)
        if content:
            self.chunk_s.append(self._now_s)
            if output_tokens is not None:
                self.chunk_usage.append(output_tokens)
        if visible and self.visible_s is None:
            self.visible_s = self._now_s
        for choice in choices:
            self._take_choice(choice)

    def _take_choice(self, choice: Mapping[str, object]) -> None:
        index = chunks.index_of(choice)
        reason = chunks.finish_reason_of(choice)
        if reason is None and index in self._seen:
            return
        self._seen.add(index)
        if reason is not None:
            if not self._failed:
                self.finish_reason = reason
            self._finished.add(index)
        self.done = self._seen <= self._finished

    def _take_usage(self, usage: object) -> int | None:
        """The output tokens of this usage; running totals in every chunk replace each other."""
        if type(usage) is not dict:
            return None
        prompt, output = (chunks.count(usage.get(f"{kind}_tokens")) for kind in ("prompt", "completion"))
        self.prompt_tokens = self.prompt_tokens if prompt is None else prompt
        self.output_tokens = self.output_tokens if output is None else output
        return output

    def _take_rest(self) -> None:
        """At the end of the body: a last event that lacks only its empty line counts, a torn one does not."""
        payload = self._decoder.rest()
        if payload is None or type(payload) is ErrorPayload:
            return
        try:
            whole = payload.strip() == DONE or type(orjson.loads(payload)) is dict
        except orjson.JSONDecodeError:
            return
        if whole:
            self._event(payload)

    def _unstreamed(self) -> None:
        """A server that ignores `stream`: one JSON body, whose content all arrives at once."""
        whole = orjson.loads(self._body)
        self._chunk(whole)
        self.done = bool(whole.get("choices"))

    def _take_named_error(self, text: bytes) -> None:
        try:
            error = orjson.loads(text)
        except orjson.JSONDecodeError:
            error = text.decode(errors="replace")
        self._error_first = not self._seen
        self._take_error((chunks.error_in(error) if type(error) is dict else None) or error or "error")

    def _take_error(self, error: object) -> None:
        fields = error if isinstance(error, dict) else {"message": str(error)}
        self.error_code = str(fields.get("code") or "")
        self.error_text = str(fields.get("message") or fields)[:200]

    @property
    def _failed(self) -> bool:
        return (self.finish_reason or "").lower() in chunks.FAILED

    # What the headers say.

    def text(self, name: bytes) -> str | None:
        """A header's value."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def number(self, name: bytes) -> float | None:
        """A header's value as a number ≥ 0; None when it is not one."""
        try:
            value = float(self.headers[name])
        except (KeyError, ValueError):
            return None
        return value if value >= 0 else None

    def stages_s(self) -> dict[str, float]:
        """`Server-Timing` as seconds by name, e.g. queue and upstream."""
        stages = _DURATION.findall(self.text(b"server-timing") or "")
        return {name: float(milliseconds) / 1e3 for name, milliseconds in stages}

    def chunk_tokens(self) -> list[int] | None:
        """Tokens of each chunk with content, where the engine reported usage with every one of them."""
        if not self.chunk_usage or len(self.chunk_usage) != len(self.chunk_s):
            return None
        tokens = [b - a for a, b in zip([0, *self.chunk_usage], self.chunk_usage, strict=False)]
        return tokens if min(tokens) >= 0 else None

    def outcome(self) -> tuple[Outcome, str | None]:
        """How a finished exchange ended, and the error's text."""
        if self.status is None:
            text = self.error_text or "the server closed the connection without an answer"
            return Outcome.CONNECT_ERROR, text
        if self.status != 200:
            named = outcome_of_status(self.status, self.text(b"x-gateway-outcome"))
            self._read_error_body()
            return named, self.error_text or f"HTTP {self.status}"
        if self.error_text is not None:
            return outcome_of_stream_error(self.error_code, first=self._error_first), self.error_text
        if self._failed:
            text = f"the engine ended the answer with finish_reason {self.finish_reason!r}"
            return Outcome.UPSTREAM_ERROR, text
        if not (self.complete and self.done):
            return Outcome.TRUNCATED, "the stream ended without [DONE] or a finish reason"
        return Outcome.OK, None

    def _read_error_body(self) -> None:
        try:
            body = orjson.loads(self._body)
        except orjson.JSONDecodeError:
            return
        if isinstance(body, dict) and "error" in body:
            self._take_error(body["error"])
