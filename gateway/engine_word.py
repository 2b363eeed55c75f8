"""What the engine's answer says of waiting, of keys and of what went wrong, beside its status."""

import math
from email.utils import parsedate_to_datetime

import orjson

from gateway import chunk
from gateway.endpoint import Endpoint
from gateway.refusal import Fields, Refusal, broken
from gateway.why import denied

LONGEST_S = 86_400.0
LONGEST_TEXT = 500


def told_wait_s(fields: Fields) -> float | None:
    """The engine's `Retry-After`, or its `retry-after-ms` where that is longer, in seconds up to a day; None
    where there is none that can be read.

    A date is taken against the answer's own `Date`: no clock of ours is asked.
    """
    waits = [_seconds(fields.get(b"retry-after")), _seconds(fields.get(b"retry-after-ms"), 1e-3)]
    waits.append(_until(fields.get(b"retry-after"), fields.get(b"date")))
    told = [wait_s for wait_s in waits if wait_s is not None]
    return min(LONGEST_S, max(told)) if told else None


def refused_key(
    status: int, *, asks_for: bytes, clients_key_passed: bool, endpoint: Endpoint
) -> Refusal | None:
    """The answer where the engine, or who stands before it, refuses a key that is not the client's, or None.

    asks_for: its `WWW-Authenticate`. To the client such a status would say that its own key is wrong, and it
    would count as its mistake.
    """
    if status not in (401, 407) or (status == 401 and clients_key_passed):
        return None
    why = denied(status, asks_for.decode("latin-1"), endpoint)
    return broken(f"The engine cannot be used: {why}.", "upstream_unauthorized")


def compressed(fields: Fields) -> bool:
    """Whether the body is encoded in a way that was not asked for."""
    encoding = fields.get(b"content-encoding")
    return encoding is not None and encoding.strip().lower() not in (b"identity", b"")


def words_of(kind: bytes | None, body: bytes) -> str:
    """The sentence in which a failed answer says why, at most 500 characters; "" where there is none.

    kind: its content type. Engines and the proxies before them write JSON of several forms, or plain text;
    a page of HTML says nothing that would help.
    """
    try:
        content: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        plain = (kind or b"").split(b";", 1)[0].strip().lower() == b"text/plain"
        content = body.decode(errors="replace") if plain else ""
    return words_in(content)


def words_in(error: object) -> str:
    """The same of an error that was read already: its text, or that of its `message` or `detail`."""
    if type(error) is dict:
        inner = chunk.error_in(error)
        if inner and inner is not error:
            return words_in(inner)
        error = error.get("message") or error.get("detail")
    text = " ".join(error.split()) if type(error) is str else ""
    return text[:LONGEST_TEXT].rstrip(".")


def _seconds(value: bytes | None, unit_s: float = 1.0) -> float | None:
    try:
        wait_s = float(value or b"") * unit_s
    except ValueError:
        return None
    return wait_s if math.isfinite(wait_s) and wait_s > 0 else None


def _until(date: bytes | None, now: bytes | None) -> float | None:
    try:
        times = [parsedate_to_datetime((value or b"").decode("ascii")) for value in (date, now)]
        wait_s = (times[0] - times[1]).total_seconds()
    except (ValueError, TypeError):
        return None
    return wait_s if wait_s > 0 else None
