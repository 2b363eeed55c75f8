"""Server-sent events as bytes: a stream cut into whole events, and the few that are read here."""

import re

import orjson

DONE = b"[DONE]"
_MARKS = (b'"usage"', b"error", DONE)
BOM = b"\xef\xbb\xbf"
_EMPTY_LINE = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")


class EventTooLongError(ValueError):
    """One event grew past the bound."""


class EventCutter:
    """Hands on whole events, unchanged, and keeps the unfinished one back.

    An event ends with an empty line; lines end with LF, CRLF or CR. No more than `max_event_bytes` are held
    back. Each byte is searched once: a stream that arrives byte by byte costs linear time.
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
        end = max(_after(self._held, mark, searched) for mark in (b"\n\n", b"\n\r\n", b"\r\r"))
        if len(self._held) - end > self._max_event_bytes:
            raise EventTooLongError(f"an event is longer than {self._max_event_bytes} bytes")
        whole = bytes(self._held[:end])
        del self._held[:end]
        return whole

    def rest(self) -> bytes:
        """At the end of the stream: an event that lacks only its empty line, completed; b"" if it is torn."""
        left, self._held = bytes(self._held), bytearray()
        name, data = parse(left)
        return left + b"\n\n" if data == DONE or (not name and fields(data) is not None) else b""


def _after(held: bytearray, mark: bytes, searched: int) -> int:
    at = held.rfind(mark, searched)
    return 0 if at < 0 else at + len(mark)


def split(events: bytes) -> list[bytes]:
    """Whole events, one by one, each with its closing empty line; joined they are the input again."""
    parts = []
    start = 0
    for end in _EMPTY_LINE.finditer(events):
        parts.append(events[start : end.end()])
        start = end.end()
    if start < len(events):
        parts.append(events[start:])
    return parts


def parse(event: bytes) -> tuple[bytes, bytes]:
    """The event's name, b"" where it has none, and its data: the `data:` lines joined by LF, without space
    around them.

    A line `error:` is no field of the standard, but llama.cpp has sent its errors so: read as data, under
    that name.
    """
    name = b""
    lines = []
    for line in event.removeprefix(BOM).splitlines():
        field, _, value = line.partition(b":")
        if field in (b"data", b"error"):
            lines.append(value.removeprefix(b" "))
        if field == b"event":
            name = value.strip()
        elif field == b"error":
            name = field
    return name, b"\n".join(lines).strip()


def plain(events: bytes, start: int = 0, end: bytes = b"}\n\n") -> bool:
    """Whether these are events that need no look into them: no name, no comment, no usage, error or end. They
    begin at `start`; end: the last one's, with what stands behind it.
    """
    return (
        events.startswith(b"data: {", start)
        and events.endswith(end)
        and b'"usage"' not in events
        and b"error" not in events
        and DONE not in events
        and events.count(b'"finish_reason":null') == events.count(b"finish_reason")
    )


def plain_bytes(events: bytes) -> int:
    """How many of the first bytes are whole events that need no look into them: see `plain`."""
    if plain(events):
        return len(events)
    if not events.startswith(b"data: {"):
        return 0
    first = min((at for mark in _MARKS if (at := events.find(mark)) >= 0), default=len(events))
    end = events.rfind(b"}\n\n", 0, min(first, _first_finish(events)))
    return 0 if end < 0 else end + 3


def first_bytes(events: bytes) -> int:
    """The length of the first event, its closing empty line included."""
    end = _EMPTY_LINE.search(events)
    return len(events) if end is None else end.end()


def _first_finish(events: bytes) -> int:
    """Where the first finish reason stands that is not null."""
    at = events.find(b"finish_reason")
    while at >= 0 and events.startswith(b'"finish_reason":null', at - 1):
        at = events.find(b"finish_reason", at + 1)
    return len(events) if at < 0 else at


def fields(data: bytes) -> dict[str, object] | None:
    """The JSON object that an event's data is, or None when it is something else."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value if type(value) is dict else None
