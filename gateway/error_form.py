"""How each API tells an error: its status, the object in the body, and the event that ends a stream."""

from typing import Protocol

import orjson

from gateway.outcome import Outcome
from gateway.refusal import Refusal


class ErrorForm(Protocol):
    """One per API; an object stands for itself, whatever it holds."""

    def status_of(self, refusal: Refusal) -> int:
        """The status under which clients of the API look for such a refusal."""

    def content(self, refusal: Refusal, message: str, wait_s: object) -> dict[str, object]:
        """The body as a JSON object. message: with the wait; wait_s: None where waiting does not help."""

    def event(self, refusal: Refusal, number: int) -> bytes:
        """The last server-sent event of a stream of which the client has got `number`."""


def body_of(form: ErrorForm, refusal: Refusal) -> bytes:
    """A refusal's body in that form, as JSON bytes."""
    return orjson.dumps(form.content(refusal, *refusal.told()))


class OpenAIErrors:
    """Of completions, and of all that vLLM adds to them."""

    def status_of(self, refusal: Refusal) -> int:
        return refusal.status

    def content(self, refusal: Refusal, message: str, wait_s: object) -> dict[str, object]:
        return {"error": refusal.error(message, wait_s)}

    def event(self, refusal: Refusal, number: int) -> bytes:
        return b"data: " + body_of(self, refusal) + b"\n\n"


class ResponsesErrors(OpenAIErrors):
    """Of `/v1/responses`: as a body the same; as an event the API's own, with the object beside its fields,
    for which the SDK looks before it raises.
    """

    def event(self, refusal: Refusal, number: int) -> bytes:
        error = refusal.error(*refusal.told())
        fields = {
            "type": "error",
            "code": error["code"],
            "message": error["message"],
            "param": refusal.param,
            "sequence_number": number,
            "error": error,
        }
        return b"event: error\ndata: " + orjson.dumps(fields) + b"\n\n"


_OVERLOADED = frozenset((Outcome.DRAINING, Outcome.QUEUE_TIMEOUT, Outcome.UPSTREAM_OVERLOADED))
_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicErrors:
    """Of the Messages API, whose SDK knows errors by a type and has a status for overload: 529."""

    def status_of(self, refusal: Refusal) -> int:
        dead = refusal.kind == "upstream_unreachable"
        return 529 if dead or refusal.outcome in _OVERLOADED else refusal.status

    def content(self, refusal: Refusal, message: str, wait_s: object) -> dict[str, object]:
        status = self.status_of(refusal)
        kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")
        error = {**refusal.error(message, wait_s), "type": kind}
        return {"type": "error", "error": error}

    def event(self, refusal: Refusal, number: int) -> bytes:
        return b"event: error\ndata: " + body_of(self, refusal) + b"\n\n"


OPENAI = OpenAIErrors()
RESPONSES = ResponsesErrors()
ANTHROPIC = AnthropicErrors()
