"""One frozen record per request: what was planned, what happened, and when. Everything else is derived from
it.

All times are seconds on the run's monotonic clock from its start (t = 0); None: it did not happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

OUTCOMES = (
    "ok", "rejected_full", "rejected_mode", "queue_timeout", "draining", "upstream_error", "upstream_timeout",
    "upstream_overloaded", "truncated", "refused", "connect_error", "client_timeout", "cancelled", "cut",
    "not_sent",
)  # fmt: skip
"""Every way a request ends. `cut`: still in flight when the run was ended; `refused`: any other 4xx."""

_OF_GATEWAY = {
    "rejected_full": "rejected_full",
    "rejected_mode": "rejected_mode",
    "queue_timeout": "queue_timeout",
    "draining": "draining",
    "upstream_error": "upstream_error",
    "upstream_timeout": "upstream_timeout",
    "upstream_overloaded": "upstream_overloaded",
    "upstream_truncated": "truncated",
    "internal": "upstream_error",
    "invalid": "refused",
    "too_large": "refused",
    "unauthorized": "refused",
    "rate_limited": "refused",
}
_OF_STATUS = {
    429: "rejected_full",
    503: "upstream_overloaded",
    504: "upstream_timeout",
    408: "upstream_timeout",
}


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """See the module; `cls` is the key "class" in files.

    `tried` lists the outcome of every attempt where there were several. `chunk_tokens` is None where the
    engine did not say how many tokens each chunk carried.
    """

    i: int
    request_id: str
    phase: str
    cls: str
    session: int
    due_s: float
    outcome: str
    sent_s: float | None = None
    headers_s: float | None = None
    first_s: float | None = None
    last_s: float | None = None
    finished_s: float | None = None
    chunk_times_s: Sequence[float] = ()
    chunk_tokens: Sequence[int] | None = None
    status: int | None = None
    error: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    queue_s: float | None = None
    upstream_s: float | None = None
    limits_version: int | None = None
    retry_after_s: float | None = None
    attempts: int = 0
    tried: Sequence[str] | None = None

    @property
    def ttft_s(self) -> float | None:
        """Time to first token: due time → first chunk with content. Starts at the due time, so client lag
        is in it."""
        return None if self.first_s is None else self.first_s - self.due_s

    @property
    def ttft_from_send_s(self) -> float | None:
        """Send → first chunk with content."""
        return None if self.first_s is None or self.sent_s is None else self.first_s - self.sent_s

    @property
    def tpot_s(self) -> float | None:
        """Time per output token of this request: (last - first content chunk) / (output tokens - 1)."""
        if self.first_s is None or self.last_s is None or (self.output_tokens or 0) < 2:
            return None
        return (self.last_s - self.first_s) / ((self.output_tokens or 0) - 1)

    @property
    def e2e_s(self) -> float | None:
        """Due time → last byte; None unless the request ended by itself (answered, refused or broken)."""
        return None if self.finished_s is None else self.finished_s - self.due_s

    @property
    def send_lag_s(self) -> float | None:
        """How much later than due the request was sent: the generator's own lag."""
        return None if self.sent_s is None else self.sent_s - self.due_s

    def to_json(self) -> bytes:
        """One line of `records.jsonl`, without the line end."""
        return orjson.dumps({key: getattr(self, name) for name, key in KEYS})

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> RequestRecord:
        """A record from one parsed line; unknown keys are refused with ValueError."""
        try:
            return RequestRecord(**{("cls" if key == "class" else key): value for key, value in row.items()})
        except TypeError as error:
            raise ValueError(f"not a record: {error}") from error


KEYS = tuple((name, "class" if name == "cls" else name) for name in RequestRecord.__dataclass_fields__)
"""Field of the record → its key in files, in order."""


def outcome_of_status(status: int, gateway_outcome: str | None) -> str:
    """The outcome of an answer that is not 200: the gateway's own word for it, else what the status says.

    Also right against a bare engine: 503 there is overload, other 5xx its error, 4xx refused.
    """
    named = _OF_GATEWAY.get(gateway_outcome or "")
    if named is not None:
        return named
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    return "refused" if 400 <= status < 500 else "upstream_error"


def outcome_of_stream_error(code: str | None) -> str:
    """The outcome of a stream that carried an error event after its 200."""
    return _OF_GATEWAY.get(code or "", "upstream_error")
