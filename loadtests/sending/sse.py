"""Server-sent events: bytes in, payloads out (WHATWG HTML, section 9.2.6). No clock, no I/O."""

from __future__ import annotations


class SseDecoder:
    """Cuts a byte stream into event payloads (the joined `data` lines), however the bytes were
    split on the way."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads completed by `data`, in order; comments and events without data give none."""
        if self._tail:
            data = self._tail + data
        held = b""
        if b"\r" in data:
            # A "\r" at the very end may be half of "\r\n": it waits for the next bytes.
            if data.endswith(b"\r"):
                data, held = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events = data.split(b"\n\n")
        self._tail = events.pop() + held
        return [payload for event in events if (payload := _payload(event)) is not None]


def _payload(event: bytes) -> bytes | None:
    if event.startswith(b"data: ") and b"\n" not in event:  # nearly every event there is
        return event[6:]
    lines = []
    for line in event.split(b"\n"):
        if line == b"data":
            lines.append(b"")
        elif line.startswith(b"data:"):
            lines.append(line[6:] if line.startswith(b"data: ") else line[5:])
    return b"\n".join(lines) if lines else None
