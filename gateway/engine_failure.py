"""What the client is told where the engine gave an error instead of an answer."""

from collections.abc import Mapping

from gateway.endpoint import Endpoint
from gateway.engine_word import words_in
from gateway.outcome import Outcome
from gateway.refusal import Refusal, broken

MOST_WORDS_BYTES = 65_536


class EngineFailure:
    """Makes refusals of the engine's errors, with the engine's own words but no key or login of ours."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._secrets = endpoint.secrets()

    def of_status(self, status: int, words: str) -> Refusal:
        """For a status that is no answer and not the client's mistake. words: what its body says."""
        if 300 <= status < 400:
            return broken("The engine answered with a redirect.", "upstream_redirect")
        why = self._told(words)
        return (
            _overloaded(why)
            if status in (429, 503)
            else broken(f"The engine failed with status {status}{why}.")
        )

    def of_refusal(self, status: int, words: str) -> Refusal:
        """For a 4xx whose body is no JSON object, which clients of the API could not read."""
        text = f"The engine refused the request with status {status}{self._told(words)}."
        return Refusal(Outcome.INVALID, status, text, "invalid_request_error")

    def in_band(self, error: object) -> Refusal:
        """For an error under a 200, before anything was sent: its own status where it names a usable one."""
        code = error.get("code") if isinstance(error, dict) else None
        words = words_in(error)
        if type(code) is str and code.isascii() and code.isdigit() and len(code) == 3:
            code = int(code)
        if isinstance(error, dict) and type(code) is int and 400 <= code < 500 and code != 429:
            return self._refused(error, code)
        kind = error.get("type") if isinstance(error, dict) else None
        if code in (429, 503) or kind in ("overloaded_error", "rate_limit_error"):
            return _overloaded(self._told(words))
        return broken(f"The engine reported an error instead of an answer{self._told(words)}.")

    def _refused(self, error: Mapping[str, object], status: int) -> Refusal:
        """The client's mistake, with all that the engine says of it."""
        kind, param, message = (error.get(name) for name in ("type", "param", "message"))
        text = message[:MOST_WORDS_BYTES] if type(message) is str else ""
        return Refusal(
            Outcome.INVALID,
            status,
            self._without_secrets(text) or "The engine refused the request.",
            kind if type(kind) is str else "invalid_request_error",
            param=param if type(param) is str else None,
            code=status,
        )

    def _told(self, words: str) -> str:
        return f": {self._without_secrets(words)}" if words else ""

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _overloaded(why: str) -> Refusal:
    return Refusal(
        Outcome.UPSTREAM_OVERLOADED,
        503,
        f"The engine is overloaded{why}.",
        "server_overloaded",
        come_back=True,
    )
