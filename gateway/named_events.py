"""Streams in which each event has a name, as bytes: which of them need no look into."""


class NamedEvents:
    """Those with a piece of the answer, of one API: `event: NAME`, then `data: {…}` with `}` at its end."""

    def __init__(self, opening: bytes, mark: bytes, never: bytes) -> None:
        """opening: how such an event begins; mark: what each has once, over the end of the line, where no
        JSON can have it; never: what none of them has.
        """
        self._opening = opening
        self.mark = mark
        self._never = never

    def plain(self, events: bytes, start: int = 0, end: bytes = b"}\n\n") -> bool:
        """Whether these are such events and nothing else. They begin at `start`; end: the last one's, with
        what stands behind it.
        """
        return (
            events.startswith(self._opening, start)
            and events.endswith(end)
            and events.count(self.mark, start) == events.count(b"\n\n", start)
            and self._never not in events
        )

    def plain_bytes(self, events: bytes) -> int:
        """How many of the first bytes are such events."""
        if self.plain(events):
            return len(events)
        at = 0
        while events.startswith(self._opening, at):
            end = events.find(b"\n\n", at) + 2
            if end < 2 or not self.plain(events[at:end]):
                break
            at = end
        return at
