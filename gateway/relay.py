"""Handing the engine's answer on: the real status, nothing changed, and an honest end.

Three kinds of answers, three relays: a stream of events (`stream_relay`), one JSON object, and a failure,
which is told in the gateway's own form.
"""

from math import inf
from typing import Protocol

import orjson

from gateway.call import Call
from gateway.client import Client
from gateway.engine_failure import MOST_WORDS_BYTES, EngineFailure
from gateway.engine_word import compressed, words_of
from gateway.grammar import Grammar
from gateway.header_fields import for_client
from gateway.metrics import Metrics
from gateway.outcome import Outcome
from gateway.refusal import Fields, Headers, Refusal, broken

_OK = Outcome.OK

WORDS_WITHIN_S = 0.5
"""Nobody waits long for the text of a failure."""


class Relay(Protocol):
    """Hands one answer of the engine to one client. Whatever a method raises is the request's end.

    began: the client has begun to read; whole: it has all it wanted, only the engine has not ended yet; over:
    nothing more is wanted of the engine, `ended` is due; due_s: when to call `on_due` (monotonic), inf
    for never. speaks: the engine has begun to say something; events: how many events of a stream the client
    has got. streams: whether the answer comes in pieces; pieces: how many with content came, about one for
    each token; usage: the engine's own counts as it wrote them, an object if all is well.
    """

    began: bool
    whole: bool
    over: bool
    speaks: bool
    due_s: float
    streams: bool
    pieces: int

    @property
    def events(self) -> int:
        """See above."""

    @property
    def usage(self) -> object:
        """See above."""

    def arrived(self, data: bytes, now_s: float) -> bool:
        """More of the body. Whether the engine has thereby shown that it works on."""

    def chunks_arrived(self, data: bytes, start: int, now_s: float) -> bool:
        """The same, framed as whole chunks: see `asking.Reader.answer_chunks`."""

    def ended(self) -> None:
        """The body is complete: ends the client's answer, and sets the call's outcome."""

    def failed(self, fault: Refusal) -> None:
        """The body broke off: ends the client's answer where that does not matter, else raises."""

    def on_due(self) -> None:
        """`due_s` has come."""

    def unsent(self) -> bytes:
        """What is held back of an answer that breaks off now."""

    def close(self) -> None:
        """The request has ended, however it did."""


class WholeRelay:
    """One JSON object, held until it is complete: an answer, or the engine's 4xx."""

    __slots__ = (
        *("_bytes", "_call", "_client", "_failure", "_fields", "_grammar", "_headers", "_max_bytes"),
        *("_metrics", "_parts", "_status", "usage"),
    )
    began = speaks = whole = over = streams = False
    due_s = inf
    events = pieces = 0

    def __init__(
        self,
        call: Call,
        client: Client,
        metrics: Metrics,
        failure: EngineFailure,
        max_bytes: int,
        grammar: Grammar,
    ) -> None:
        self._call = call
        self._grammar = grammar
        self._client = client
        self._metrics = metrics
        self._failure = failure
        self._max_bytes = max_bytes
        self._status = 0
        self._headers: Headers = []
        self._fields: Fields = {}
        self._parts: list[bytes] = []
        self._bytes = 0
        self.usage: object = None

    def begin(self, status: int, headers: Headers, fields: Fields) -> None:
        """With the head of the answer. Raises Refusal for one that cannot be read."""
        if compressed(fields):
            raise broken(
                "The engine's answer is compressed, which was not asked for.", "upstream_bad_encoding"
            )
        self._status = status
        self._headers = headers
        self._fields = fields

    def arrived(self, data: bytes, now_s: float) -> bool:
        self._bytes += len(data)
        if self._bytes > self._max_bytes:
            raise broken("The engine's answer is too large.", "upstream_too_large")
        self._parts.append(data)
        return False

    def chunks_arrived(self, data: bytes, start: int, now_s: float) -> bool:
        return False

    def ended(self) -> None:
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        if self._status < 400:
            if self._is_bytes():
                self._call.ends(_OK, self._status)
            else:
                self._judge_answer(body)
        else:
            self._judge_refusal(body)
        fields = for_client(self._headers, self._fields) + self._call.fields()
        self._client.answer(self._status, fields, body)

    def failed(self, fault: Refusal) -> None:
        raise fault

    def on_due(self) -> None:
        """Never."""

    def unsent(self) -> bytes:
        return b""

    def close(self) -> None:
        """Nothing is left to do."""

    def _is_bytes(self) -> bool:
        kind = self._fields.get(b"content-type", b"")
        return self._grammar.bytes_too and kind.startswith(b"application/octet-stream")

    def _judge_answer(self, body: bytes) -> None:
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise broken("The engine's answer is not JSON.", "upstream_garbage") from None
        if type(content) is not dict:
            raise broken("The engine's answer is not a JSON object.", "upstream_garbage")
        grammar = self._grammar
        error = grammar.error_of(content)
        if error is not None:
            raise self._failure.in_band(error)
        self.usage = usage = grammar.usage_of(content)
        self._metrics.count_tokens(usage)
        self._call.used(usage)
        self._call.ends(Outcome.UPSTREAM_ERROR if grammar.failed(content) else _OK, self._status)

    def _judge_refusal(self, body: bytes) -> None:
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            content = None
        if type(content) is not dict:
            words = words_of(self._fields.get(b"content-type"), body)
            raise self._failure.of_refusal(self._status, words)
        self._call.ends(Outcome.INVALID, self._status)


class FailureRelay:
    """A status that is no answer: becomes a refusal with the words of its body, if they come soon."""

    began = speaks = whole = over = streams = False
    events = pieces = 0
    usage = None

    def __init__(self, failure: EngineFailure, status: int, fields: Fields, now_s: float) -> None:
        self._failure = failure
        self._status = status
        self._kind = fields.get(b"content-type")
        self._readable = not compressed(fields)
        self._body = b""
        self.due_s = now_s + WORDS_WITHIN_S
        if 300 <= status < 400 or not self._readable:
            self.ended()

    def arrived(self, data: bytes, now_s: float) -> bool:
        self._body += data
        if len(self._body) >= MOST_WORDS_BYTES:
            self.ended()
        return False

    def chunks_arrived(self, data: bytes, start: int, now_s: float) -> bool:
        return False

    def ended(self) -> None:
        words = words_of(self._kind, self._body) if self._readable else ""
        raise self._failure.of_status(self._status, words)

    def failed(self, fault: Refusal) -> None:
        self.ended()

    def on_due(self) -> None:
        self.ended()

    def unsent(self) -> bytes:
        return b""

    def close(self) -> None:
        """Nothing is left to do."""
