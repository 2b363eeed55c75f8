"""A stretch of a recording, as people write it: `--from 2026-11-30T14:05 --to 14:25`, `--from 10m`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from loadtests.traffic.segments import EVER, Span, TrafficError

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?\Z")
_AFTER = re.compile(r"(?=.)(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?\Z")
_UNIX_S = 1e8
"""A bare number from here on counts from 1970, one below it from the begin of the recording."""
_DAY_S = 86_400.0
_ALLOWED = (
    "a date and time (2026-11-30T14:05, UTC unless it says otherwise), a time of the recording's last day "
    "(14:05), a span after its begin (10m, 1h30m, 90s), or Unix seconds"
)


@dataclass(frozen=True, slots=True)
class Times:
    """From when to when a recording is meant, as typed; "" for its begin, and for its end."""

    begin: str = ""
    end: str = ""

    def __post_init__(self) -> None:
        """Raises TrafficError for what is no time."""
        for flag, text in (("--from", self.begin), ("--to", self.end)):
            _at(flag, text, 0.0, 0.0)

    def span(self, first_unix_s: float, last_unix_s: float) -> Span:
        """The span that is meant in a recording whose requests came between these.

        Raises:
            TrafficError: it ends before it begins.
        """
        begin_s = _at("--from", self.begin, first_unix_s, last_unix_s)
        end_s = _at("--to", self.end, first_unix_s, last_unix_s)
        found = Span(EVER.from_s if begin_s is None else begin_s, EVER.until_s if end_s is None else end_s)
        if found.until_s <= found.from_s:
            raise TrafficError(f"--from {self.begin} --to {self.end}: ends before it begins")
        return found


def _at(flag: str, text: str, first_unix_s: float, last_unix_s: float) -> float | None:
    clean = text.strip()
    if not clean:
        return None
    if (clock := _CLOCK.match(clean)) is not None:
        hours, minutes, seconds = (float(part or 0) for part in clock.groups())
        if hours < 24 and minutes < 60 and seconds < 60:
            return last_unix_s // _DAY_S * _DAY_S + 3600 * hours + 60 * minutes + seconds
    elif (after := _AFTER.match(clean)) is not None:
        hours, minutes, seconds = (float(part or 0) for part in after.groups())
        span_s = 3600 * hours + 60 * minutes + seconds
        return span_s if span_s >= _UNIX_S else first_unix_s + span_s
    else:
        try:
            given = datetime.fromisoformat(clean)
        except ValueError:
            pass
        else:
            return (given if given.tzinfo is not None else given.replace(tzinfo=UTC)).timestamp()
    raise TrafficError(f"{flag} {text!r}: write {_ALLOWED}")
