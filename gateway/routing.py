"""Answers to a wrong path or method."""

from gateway.outcome import Outcome
from gateway.refusal import Refusal
from gateway.served import SERVED

PATHS = (*(served.path.decode() for served in SERVED), "/v1/models", "/health", "/ready", "/metrics")
"""The paths that a 404 names: all but those of the operator, and other names of the same."""


def routing(status: int, allow: bytes | None = None) -> Refusal:
    """status: 404, 405, or whatever else is wrong with how it was asked."""
    answers = f", it answers {allow.decode()}" if allow else ""
    messages = {
        404: f"No such path. Served are {', '.join(PATHS)}.",
        405: f"This path does not answer that method{answers}.",
    }
    return Refusal(
        Outcome.INVALID, status, messages.get(status, "Bad request."), "invalid_request_error", allow=allow
    )
