"""How a request can end, as the client saw it: the closed set, and how far such a request came."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """One per request, decided once. The values stand in every file of a run."""

    OK = "ok"
    REJECTED_FULL = "rejected_full"
    REJECTED_MODE = "rejected_mode"
    OVER_BUDGET = "over_budget"
    QUEUE_TIMEOUT = "queue_timeout"
    DRAINING = "draining"
    UPSTREAM_ERROR = "upstream_error"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_OVERLOADED = "upstream_overloaded"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    """A 4xx that has no name of its own here."""
    CONNECT_ERROR = "connect_error"
    CLIENT_TIMEOUT = "client_timeout"
    CANCELLED = "cancelled"
    CUT = "cut"
    """Still in flight when the run was ended."""
    NOT_SENT = "not_sent"

    @property
    def rejected(self) -> bool:
        """Turned away by the gateway with a 429: no slot and no place in the queue was free, or its tenant
        had used up its tokens.
        """
        return self in (Outcome.REJECTED_FULL, Outcome.REJECTED_MODE, Outcome.OVER_BUDGET)

    @property
    def shed(self) -> bool:
        """Refused, or timed out in the queue, by the gateway or the engine to protect the other requests.

        The gateway counts each of these under the same name.
        """
        return self.rejected or self in (
            Outcome.QUEUE_TIMEOUT,
            Outcome.DRAINING,
            Outcome.UPSTREAM_OVERLOADED,
        )

    @property
    def arrived(self) -> bool:
        """Reached the gateway, which has therefore counted it."""
        return self not in (Outcome.NOT_SENT, Outcome.CONNECT_ERROR)

    @property
    def held_a_slot(self) -> bool:
        """Was given one of the gateway's slots, for however short a time, and so kept others waiting."""
        turned_away = self.rejected or self in (Outcome.QUEUE_TIMEOUT, Outcome.DRAINING, Outcome.REFUSED)
        return self.arrived and not turned_away


_OF_GATEWAY = {
    "rejected_full": Outcome.REJECTED_FULL,
    "rejected_mode": Outcome.REJECTED_MODE,
    "over_budget": Outcome.OVER_BUDGET,
    "queue_timeout": Outcome.QUEUE_TIMEOUT,
    "draining": Outcome.DRAINING,
    "upstream_error": Outcome.UPSTREAM_ERROR,
    "upstream_timeout": Outcome.UPSTREAM_TIMEOUT,
    "upstream_overloaded": Outcome.UPSTREAM_OVERLOADED,
    "upstream_truncated": Outcome.TRUNCATED,
    "internal": Outcome.UPSTREAM_ERROR,
    "invalid": Outcome.REFUSED,
    "too_large": Outcome.REFUSED,
    "unauthorized": Outcome.REFUSED,
    "rate_limited": Outcome.REFUSED,
}
_OF_STATUS = {
    429: Outcome.REJECTED_FULL,
    503: Outcome.UPSTREAM_OVERLOADED,
    504: Outcome.UPSTREAM_TIMEOUT,
    408: Outcome.UPSTREAM_TIMEOUT,
}


def outcome_of_status(status: int, gateway_outcome: str | None) -> Outcome:
    """The outcome of an answer that is not 200: the gateway's own word for it, else what the status says.

    Also right against a bare engine: 503 there is overload, other 5xx its error, 4xx refused.
    """
    named = _OF_GATEWAY.get(gateway_outcome or "")
    if named is not None:
        return named
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    return Outcome.REFUSED if 400 <= status < 500 else Outcome.UPSTREAM_ERROR


def outcome_of_stream_error(code: str | None, *, first: bool = False) -> Outcome:
    """The outcome of a stream that carried an error event after its 200.

    first: it came before anything else; then a status as its code means what the status means, as the gateway
    reads it, which can still send one.
    """
    named = _OF_GATEWAY.get(code or "")
    if named is not None:
        return named
    if first and code in ("429", "503"):
        return Outcome.UPSTREAM_OVERLOADED
    if first and code and len(code) == 3 and code.startswith("4") and code.isdigit():
        return Outcome.REFUSED
    return Outcome.UPSTREAM_ERROR
