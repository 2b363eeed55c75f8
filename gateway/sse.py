"""Server-sent events as bytes: a stream cut into whole events, and the few that are read here."""

from collections.abc import Mapping

import orjson

CONTENT = ("content", "reasoning_content", "reasoning", "tool_calls")


class EventTooLongError(ValueError):
    """One event grew past the bound."""


class EventCutter:
    """Hands on whole events, unchanged, and keeps the unfinished one back.

    An event ends with an empty line; lines end with LF or CRLF. No more than `max_event_bytes` are held back.
    Each byte is searched once: a stream that arrives byte by byte costs linear time.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._held = bytearray()

    @property
    def unfinished(self) -> bool:
        """Whether part of an event is held back."""
        return bool(self._held)

    def feed(self, data: bytes) -> bytes:
        """Everything that is complete now: zero or more whole events. Raises EventTooLongError."""
        if not self._held and data.endswith(b"\n\n"):
            return data
        searched = max(0, len(self._held) - 3)
        self._held += data
        end = max(_after(self._held, b"\n\n", searched), _after(self._held, b"\n\r\n", searched))
        if len(self._held) - end > self._max_event_bytes:
            raise EventTooLongError(f"an event is longer than {self._max_event_bytes} bytes")
        whole = bytes(self._held[:end])
        del self._held[:end]
        return whole


def _after(held: bytearray, mark: bytes, searched: int) -> int:
    at = held.rfind(mark, searched)
    return 0 if at < 0 else at + len(mark)


def split(events: bytes) -> list[bytes]:
    """Whole events, one by one, each with its closing empty line; joined they are the input again."""
    parts = []
    start = 0
    at = 0
    while at < len(events):
        end = events.find(b"\n", at)
        if end < 0:
            break
        if events[at:end] in (b"", b"\r"):
            parts.append(events[start : end + 1])
            start = end + 1
        at = end + 1
    if start < len(events):
        parts.append(events[start:])
    return parts


def payload(event: bytes) -> bytes:
    """The event's data: its `data:` lines, joined by LF. Empty for a comment."""
    lines = []
    for line in event.splitlines():
        if line.startswith(b"data:"):
            value = line[5:]
            lines.append(value[1:] if value[:1] == b" " else value)
    return b"\n".join(lines)


def fields(event: bytes) -> dict[str, object]:
    """The event's JSON object, or an empty one when its data is something else."""
    try:
        data = orjson.loads(payload(event))
    except orjson.JSONDecodeError:
        return {}
    return data if type(data) is dict else {}


def has_content(chunk: Mapping[str, object]) -> bool:
    """Whether a completion chunk carries something for the reader: text, reasoning or a tool call."""
    choices = chunk.get("choices")
    for choice in choices if type(choices) is list else ():
        if type(choice) is not dict:
            continue
        if choice.get("text"):
            return True
        delta = choice.get("delta")
        if type(delta) is dict and any(delta.get(key) for key in CONTENT):
            return True
    return False
