"""What a client does after a refusal: nothing, what `Retry-After` says, or what the OpenAI SDK does."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz

LONGEST_RETRY_AFTER_S = 120.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
_RETRIABLE = (408, 409, 429)
_INFINITIES = ("inf", "+inf", "infinity", "+infinity")
_TOO_LONG_S = LONGEST_RETRY_AFTER_S + 1


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`name` is one of `mix.RETRIES`; most: tries after the first one."""

    name: str
    most: int = 2

    def pause_s(
        self, attempt: int, status: int | None, headers: Mapping[bytes, bytes], *, jitter: float, now_s: float
    ) -> float | None:
        """Seconds to wait after attempt number `attempt` (from 1), or None to give up.

        status: None where the connection broke; headers: of the answer, names in lower case; jitter: drawn
        from [0, 1); now_s: the time of day in Unix seconds, against which a date in `Retry-After` is read.

        retry-after: 429 and 503 are tried again as `Retry-After` says; without one, or above 120 s, not at
        all. openai: see `_as_the_sdk`.
        """
        if self.name == "none" or attempt > self.most:
            return None
        if self.name == "openai":
            return _as_the_sdk(attempt, status, headers, jitter, now_s)
        told_s = _told_s(headers, (b"retry-after",), now_s)
        return told_s if status in (429, 503) and _kept_to(told_s) else None


def jitter_of(seed: int, attempt: int) -> float:
    """The random part of one pause, from [0, 1): an arrival's seed makes a run repeatable."""
    return random.Random(seed + attempt).random()


def _as_the_sdk(
    attempt: int, status: int | None, headers: Mapping[bytes, bytes], jitter: float, now_s: float
) -> float | None:
    """The rules of the OpenAI Python SDK, 3.54 to 3.57.

    Broken connections, 408, 409, 429 and 5xx are tried again unless `x-should-retry` decides otherwise. The
    wait is that of `retry-after-ms`, else of `retry-after` (seconds or a date), where it is above 0 and at
    most 120 s; a longer one ends it. Without one: 0.5 s · 2^(attempt-1), at most 8 s, less up to a quarter.
    """
    told_s = _told_s(headers, (b"retry-after-ms", b"retry-after"), now_s)
    if told_s is not None and math.isfinite(told_s) and told_s > LONGEST_RETRY_AFTER_S:
        return None
    should = headers.get(b"x-should-retry")
    again = should == b"true" or (
        should != b"false" and (status is None or status in _RETRIABLE or status >= 500)
    )
    if not again:
        return None
    if told_s is not None and _kept_to(told_s):
        return told_s
    return float(min(FIRST_PAUSE_S * 2.0 ** (attempt - 1), LONGEST_PAUSE_S) * (1 - 0.25 * jitter))


def _kept_to(told_s: float | None) -> bool:
    return told_s is not None and 0 < told_s <= LONGEST_RETRY_AFTER_S


def _told_s(headers: Mapping[bytes, bytes], names: tuple[bytes, ...], now_s: float) -> float | None:
    """The wait that the first readable of these headers tells, which may be any float; None without one."""
    for name in names:
        value = headers.get(name, b"").decode("latin-1")
        try:
            told = float(value)
        except ValueError:
            continue
        if told == math.inf and value.strip().lower() not in _INFINITIES:
            return _TOO_LONG_S  # a number too large for a float, not the word
        return told / 1000 if name.endswith(b"-ms") else told
    return _until_s(headers.get(b"retry-after", b"").decode("latin-1"), now_s)


def _until_s(date: str, now_s: float) -> float | None:
    try:
        parts = parsedate_tz(date)
        return None if parts is None else mktime_tz(parts) - now_s
    except (TypeError, ValueError, OverflowError, OSError):
        return None
