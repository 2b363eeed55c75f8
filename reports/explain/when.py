"""Which stretch of time a command line means."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from experiments.errors import UserError
from loadtests.traffic.segments import Span

BEFORE_S, AFTER_S = 600.0, 300.0
"""Around the time that is asked about: an alert comes some minutes after what it is about."""
SHORTEST_S, LONGEST_S = 60.0, 86_400.0

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_LIKE = "a time such as 14:05, 2026-03-01T14:05 or 2026-03-01T14:05:00Z"


def around(at: str, now_s: float, zone: tzinfo | None = None) -> Span:
    """From BEFORE_S before to AFTER_S after the time, or to now. zone: of times without one; None: this
    machine's.

    Raises:
        UserError: it is no time, or one that is still to come.
    """
    at_s = moment(at, now_s, zone)
    if at_s > now_s:
        raise UserError(f"--at {at}: that is still to come")
    return _whole(Span(at_s - BEFORE_S, min(at_s + AFTER_S, now_s)))


def between(begin: str, end: str, now_s: float, zone: tzinfo | None = None) -> Span:
    """Raises UserError as `around`, and for a stretch that is too short, too long or not over."""
    begin_s, end_s = moment(begin, now_s, zone), moment(end, now_s, zone)
    if not SHORTEST_S <= end_s - begin_s <= LONGEST_S:
        raise UserError(f"--from {begin} --to {end}: give a stretch of one minute to one day")
    if end_s > now_s:
        raise UserError(f"--to {end}: that is still to come")
    return _whole(Span(begin_s, end_s))


def moment(text: str, now_s: float, zone: tzinfo | None = None) -> float:
    """Unix seconds of `14:05` (the last time that it was), or of an ISO 8601 time."""
    clock = _CLOCK.fullmatch(text)
    now = datetime.fromtimestamp(now_s, zone).astimezone(zone)
    try:
        if clock is not None:
            hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
            found = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return (found if found <= now else found - timedelta(days=1)).timestamp()
        given = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is not {_LIKE}") from None
    return (given if given.tzinfo is not None else given.replace(tzinfo=now.tzinfo)).timestamp()


def _whole(span: Span) -> Span:
    """Whole seconds: what Prometheus is asked for."""
    return Span(float(int(span.from_s)), float(int(span.until_s)))
