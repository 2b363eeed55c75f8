"""Server-sent events: bytes in, payloads out (WHATWG HTML, section 9.2.6). No clock, no I/O."""

from __future__ import annotations

DONE = b"[DONE]"
_BOM = b"\xef\xbb\xbf"


class ErrorPayload(bytes):
    """The payload of an event that is an error by its name: `event: error`, or llama.cpp's `error:` line."""

    __slots__ = ()


class SseDecoder:
    """Cuts a byte stream into event payloads (the joined `data` lines), however the bytes were
    split on the way."""

    __slots__ = ("_begun", "_tail")

    def __init__(self) -> None:
        self._tail = b""
        self._begun = False

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads completed by `data`, in order; comments and events without data give none."""
        if self._tail:
            data = self._tail + data
        elif self._begun and _is_one_event(data):  # nearly every chunk there is
            return [data[6:-2]]
        if not self._begun:
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._tail = data
                return []
            self._begun = True
            data = data.removeprefix(_BOM)
        held = b""
        if b"\r" in data:
            # A "\r" at the very end may be half of "\r\n": it waits for the next bytes.
            if data.endswith(b"\r"):
                data, held = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events = data.split(b"\n\n")
        self._tail = events.pop() + held
        return [payload for event in events if (payload := _payload(event)) is not None]

    def rest(self) -> bytes | None:
        """The payload of what came after the last empty line, at the end of the stream: whole or torn."""
        event, self._tail = self._tail.replace(b"\r", b"\n"), b""
        return _payload(event.strip(b"\n"))


def _is_one_event(data: bytes) -> bool:
    """Whether it is one whole event of a single `data` line, and nothing else."""
    whole = data.startswith(b"data: ") and data.endswith(b"\n\n")
    return whole and data.find(b"\n") == len(data) - 2 and b"\r" not in data


def _payload(event: bytes) -> bytes | None:
    if event.startswith(b"data: ") and b"\n" not in event:  # nearly every event there is
        return event[6:]
    lines = []
    error = False
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        if field in (b"data", b"error"):
            lines.append(value.removeprefix(b" "))
        error |= field == b"error" or (field == b"event" and value.strip() == b"error")
    if error:
        return ErrorPayload(b"\n".join(lines))
    return b"\n".join(lines) if lines else None
