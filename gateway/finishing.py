"""The event in which a stream finishes, where the client will not see the usage event behind it."""

from collections.abc import Mapping

import orjson

FINGERPRINT = "system_fingerprint"
HELD_FOR_S = 0.25
"""The usage event follows at once; an engine that has none must not keep the last token back."""


class FinishingEvent:
    """Holds it back until it is known what the usage event would have told beside the usage.

    vLLM names `system_fingerprint` once, in a stream's last event: without a usage event that is the one in
    which it finishes, and there it must be for a client that did not ask for usage. held: the event, or b""
    for none.
    """

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = b""

    def hold(self, event: bytes) -> None:
        """Keeps a whole event with one JSON object for now; nothing may be held yet."""
        self.held = event

    def release(self, usage_event: Mapping[str, object] | None = None) -> bytes:
        """The held event, b"" where there is none, with the fingerprint of a usage event."""
        event, self.held = self.held, b""
        told = (usage_event or {}).get(FINGERPRINT)
        if not event or told is None:
            return event
        end = event.rindex(b"}")
        return event[:end] + b"," + orjson.dumps({FINGERPRINT: told})[1:] + event[end + 1 :]


def lacks_fingerprint(fields: Mapping[str, object]) -> bool:
    """Whether an event says neither the fingerprint nor the usage itself."""
    return fields.get(FINGERPRINT) is None and not fields.get("usage")
