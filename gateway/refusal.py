"""An answer that the gateway makes itself: what is wrong, the right status, and the way back in."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import orjson

from gateway.outcome import Outcome

Headers = list[tuple[bytes, bytes]]
"""All fields of a head as they came, the names in lower case."""

Fields = Mapping[bytes, bytes]
"""The first value of each field of a head."""


def lines(headers: Headers) -> bytes:
    """Fields as they stand in a head."""
    return b"\r\n".join([*map(b": ".join, headers), b""])


@dataclass(slots=True)
class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of the gateway
    """Why a request gets no answer from the engine. Raised anywhere on its way, answered in one place.

    kind: the body's `type`; param: the request's field at fault; come_back: waiting helps; wait_s: for how
    long, filled in from the measured drain rate where it is still None; close: this is the last answer on its
    connection; allow: the methods of a path that was asked with another; code: the body's `code` where it is
    more exact than the outcome.
    """

    outcome: Outcome
    status: int
    message: str
    kind: str
    param: str | None = None
    come_back: bool = False
    wait_s: float | None = None
    close: bool = False
    allow: bytes | None = None
    code: str | int | None = None

    def told(self) -> tuple[str, float | None]:
        """The message as clients read it, with the wait, and the wait in seconds, None for none."""
        if self.wait_s is None:
            return self.message, None
        return f"{self.message} Retry in {self.wait_s:.1f} s.", round(self.wait_s, 3)

    def error(self, message: str, wait_s: object) -> dict[str, object]:
        """The OpenAI error object; `retry_after_s` is in it when waiting helps."""
        error: dict[str, object] = {
            "message": message,
            "type": self.kind,
            "param": self.param,
            "code": self.code or self.outcome.value,
        }
        if wait_s is not None:
            error["retry_after_s"] = wait_s
        return error

    def body(self) -> bytes:
        """The same as JSON bytes, in the form of OpenAI: other APIs have theirs, see `error_form`."""
        return orjson.dumps({"error": self.error(*self.told())})

    def headers(self) -> Headers:
        """Fields of the answer, without those that every answer carries and those about its length."""
        headers: Headers = [
            (b"content-type", b"application/json"),
            (b"x-gateway-outcome", self.outcome.value.encode()),
        ]
        if self.wait_s is not None:
            headers.append((b"retry-after", b"%d" % math.ceil(self.wait_s)))
            headers.append((b"retry-after-ms", b"%d" % math.ceil(self.wait_s * 1000)))
        if self.allow is not None:
            headers.append((b"allow", self.allow))
        return headers

    def fields(self) -> bytes:
        """The same as lines of a head."""
        return lines(self.headers())


def invalid(message: str, param: str | None = None, status: int = 400, *, close: bool = False) -> Refusal:
    """The client's mistake."""
    return Refusal(Outcome.INVALID, status, message, "invalid_request_error", param, close=close)


def model_not_found(model: object, names: Collection[str]) -> Refusal:
    """A model that is not among `names`, the ones there are."""
    text = f"The model '{str(model)[:100]}' does not exist here. There are: {', '.join(sorted(names))}."
    return Refusal(Outcome.INVALID, 404, text, "invalid_request_error", param="model", code="model_not_found")


def too_large(message: str, status: int = 413) -> Refusal:
    """Over a bound of size; the rest of the request is not read."""
    return Refusal(Outcome.TOO_LARGE, status, message, "invalid_request_error", close=True)


def unreachable(message: str) -> Refusal:
    """The engine cannot be reached."""
    return Refusal(Outcome.UPSTREAM_ERROR, 502, message, "upstream_unreachable", come_back=True, wait_s=1.0)


def broken(message: str, kind: str = "upstream_error") -> Refusal:
    """The engine answered what it must not."""
    return Refusal(Outcome.UPSTREAM_ERROR, 502, message, kind)


def truncated(message: str) -> Refusal:
    """The engine's answer ended before it was complete."""
    return Refusal(Outcome.UPSTREAM_TRUNCATED, 502, message, "upstream_truncated")


def late(message: str, kind: str) -> Refusal:
    """The engine, or the whole request, took too long."""
    return Refusal(Outcome.UPSTREAM_TIMEOUT, 504, message, kind)


def internal() -> Refusal:
    """A bug of ours; what it was is in the log only."""
    return Refusal(Outcome.INTERNAL, 500, "Internal error of the gateway.", "server_error", close=True)
