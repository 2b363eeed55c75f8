"""Requests read off a client's connection, one at a time, within bounds.

Bounds: the size of a head, its number of fields and its target, exactly one sane Host. An offer to upgrade to
another protocol is ignored. A request that comes before the last one was answered (pipelining) stops the
reader: HTTP/1.1 allows to close after the first answer, and every client that pipelines must expect it.
"""

import re
from enum import StrEnum
from typing import Protocol

import httptools

from gateway.refusal import Fields, Headers, Refusal, invalid, too_large
from gateway.settings import Settings
from gateway.upgrade import declined

_is_host = re.compile(rb"[!$-+\-.0-;=A-Z\[\]^_`a-z{|}~]{1,255}").fullmatch


class Reading(StrEnum):
    """How much of a request is in."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    COMPLETE = "complete"
    SKIPPING = "skipping"  # it was answered, while its body is still coming


# Bound once: in Python 3.11 each `Reading.X` ends in a Python function of the enum's class.
_IDLE, _HEAD, _BODY, _COMPLETE, _SKIPPING = Reading


class UnreadableError(Exception):
    """Nothing behind this can be read. refusal: the answer, where the fault lies in a head that nobody has
    answered yet.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class RequestParser(Protocol):
    """What is used of httptools' parser, which has no types of its own."""

    def feed_data(self, data: bytes) -> None: ...

    def get_method(self) -> bytes: ...

    def get_http_version(self) -> str: ...

    def should_keep_alive(self) -> bool: ...

    def should_upgrade(self) -> bool: ...


class _StopError(Exception):
    """Raised in a parser callback: no further byte is of interest."""


class RequestReader:
    """The request that is being read, or was read last. Valid from BODY on: method, target, version (`1.1`),
    headers (names in lower case), fields (the first value of each), keep_alive, expects_continue.

    body: what came in and was not taken yet; body_bytes: all that came in so far. stopped: whatever else
    comes in is thrown away.
    """

    __slots__ = (
        "_declined",
        "_fault",
        "_head_bytes",
        "_now_bytes",
        "_parser",
        "_settings",
        "body",
        "body_bytes",
        "expects_continue",
        "fields",
        "headers",
        "keep_alive",
        "method",
        "state",
        "stopped",
        "target",
        "version",
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._fault: Refusal | None = None
        self._declined: bytes | None = None
        self._now_bytes = 0
        self._head_bytes = 0
        self.stopped = False
        self.state = _IDLE
        self.method = b""
        self.version = "1.1"
        self.keep_alive = True
        self.expects_continue = False
        self.body: list[bytes] = []
        self._parser: RequestParser | None = self._new_parser()
        self._begin()

    def feed(self, data: bytes) -> None:
        """Reads on. Raises UnreadableError; the state then says how far the request had come."""
        if self.state is _IDLE:
            self.state = _HEAD
        self._now_bytes = len(data)
        if self.state is _HEAD:
            self._head_bytes += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            raise UnreadableError(
                self._fault or invalid("The request is not valid HTTP/1.1.", status=400)
            ) from None
        if self.state is _HEAD and self._head_bytes > self._settings.max_header_bytes:
            raise UnreadableError(self._head_too_large())

    def take(self) -> bytes:
        """The body's bytes that were not taken yet."""
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        self.body = []
        return body

    def next_request(self) -> None:
        """The request was answered: what is left of its body is skipped, then comes another one."""
        if self.state is _COMPLETE:
            self._begin()
        else:
            self.state = _SKIPPING
            self.body = []

    def stop(self) -> None:
        """Reads nothing any more."""
        self.stopped = True

    def close(self) -> None:
        """Lets go of the parser, which knows this object."""
        self._parser = None

    def _begin(self) -> None:
        self.state = _IDLE
        self.target = b""
        self.headers: Headers = []
        self.fields: Fields = {}
        self.body = []
        self.body_bytes = 0
        self._head_bytes = 0

    def _new_parser(self) -> RequestParser:
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        made: RequestParser = parser
        return made

    def _parse(self, data: bytes) -> None:
        """Where the parser stops at an offer to upgrade, taking the body for the other protocol's, another
        one begins with the same request without the offer.
        """
        while data and self._parser is not None:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as stop:
                if self._declined is None:
                    raise httptools.HttpParserError("CONNECT is not served") from None
                head, self._declined = self._declined, None
                data = data[stop.args[0] :]
            head_bytes = self._head_bytes
            self._parser = self._new_parser()
            self._begin()
            self._head_bytes = head_bytes
            self._parser.feed_data(head)

    def on_url(self, url: bytes) -> None:
        if self.state in (_BODY, _COMPLETE):
            raise _StopError
        self.state = _HEAD
        self.target += url
        if len(self.target) > self._settings.max_url_bytes:
            self._fault = too_large(
                f"The request target is longer than {self._settings.max_url_bytes} bytes.", 414
            )
            raise _StopError

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None
        self.method, self.version = parser.get_method(), parser.get_http_version()
        if parser.should_upgrade() and self.method != b"CONNECT":
            self._declined = declined(self.method, self.target, self.version, self.headers)
            return
        fields = self.fields = dict(reversed(self.headers))
        self._fault = self._fault_of_head()
        if self._fault is not None:
            raise _StopError
        self.state = _BODY
        self.keep_alive = self.version != "1.0" and parser.should_keep_alive()
        expects = b"expect" in fields and fields[b"expect"].lower() == b"100-continue"
        self.expects_continue = expects and self.version != "1.0"

    def on_body(self, body: bytes) -> None:
        if self.state is _BODY:
            self.body.append(body)
            self.body_bytes += len(body)

    def on_message_complete(self) -> None:
        if self.state is _BODY:
            self.state = _COMPLETE
        elif self.state is _SKIPPING:
            self._begin()
            self._head_bytes = self._now_bytes

    def _fault_of_head(self) -> Refusal | None:
        settings, headers = self._settings, self.headers
        if len(headers) > settings.max_header_count:
            return too_large(f"The request has more than {settings.max_header_count} fields.", 431)
        # All that was read is more than the head, so most heads need not be counted.
        if self._head_bytes > settings.max_header_bytes and (
            sum(len(name) + len(value) + 4 for name, value in headers) > settings.max_header_bytes
        ):
            return self._head_too_large()
        host = self.fields.get(b"host")
        if host is None:
            one = self.version == "1.0"
        else:
            one = len(self.fields) == len(headers) or sum(name == b"host" for name, _ in headers) == 1
        if not one:
            return invalid("The request must have exactly one Host field.", "host")
        if host is not None and _is_host(host) is None:
            return invalid("The Host field is malformed.", "host")
        return None

    def _head_too_large(self) -> Refusal:
        return too_large(f"The request head is larger than {self._settings.max_header_bytes} bytes.", 431)
