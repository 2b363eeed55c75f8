"""What a client does after a refusal: nothing, what `Retry-After` says, or what the OpenAI SDK does."""

from __future__ import annotations

import random
from dataclasses import dataclass

_RETRIABLE = (408, 409, 429)
LONGEST_RETRY_AFTER_S = 120.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`name` is one of `mix.RETRIES`; the jitter of each arrival comes from its seed, so a
    run can be repeated."""

    name: str
    most: int = 2

    def pause_s(
        self, attempt: int, status: int | None, retry_after_s: float | None, should: str | None, seed: int
    ) -> float | None:
        """Seconds to wait after attempt number `attempt` (from 1), or None to give up.

        retry-after: waits as the header says, at most 120 s; gives up where it says nothing or more. openai:
        as the OpenAI Python SDK (3 tries in all): connection errors, 408, 409, 429 and 5xx are tried again; a
        pause in the header is kept to up to 120 s, a longer one ends it; without one it is 0.5 s · 2^(attempt
        - 1), at most 8 s, less up to a quarter; `x-should-retry` decides first. status None: the connection
        broke.
        """
        if self.name == "none" or attempt > self.most:
            return None
        if retry_after_s is not None and retry_after_s > LONGEST_RETRY_AFTER_S:
            return None
        given_s = retry_after_s if retry_after_s else None
        if self.name == "retry-after":
            return given_s if status in (429, 503) else None
        again = should == "true" or (
            should != "false" and (status is None or status in _RETRIABLE or status >= 500)
        )
        if not again:
            return None
        jitter = 1 - 0.25 * random.Random(seed + attempt).random()
        return given_s or min(0.5 * 2.0 ** (attempt - 1), 8.0) * jitter
