"""Questions to the target before the load starts: is it there, what is its model called, how
does it count tokens."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

from loadtests.planning.prompts import ONE_EACH, Messages, TokenCost, calibrate
from loadtests.sending.target import Target, UnreachableError

_TIMEOUT_S = 10.0


class Control:
    """One keep-alive connection for questions; not for load."""

    def __init__(self, url: str, api_key: str) -> None:
        self._target = Target.parse(url)
        kind = http.client.HTTPSConnection if self._target.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(self._target.host, self._target.port, timeout=_TIMEOUT_S)
        self._headers = {"content-type": "application/json"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, Any]:
        """Status and parsed JSON (None when it is not JSON). Raises UnreachableError."""
        try:
            payload = json.dumps(body) if body is not None else None
            self._connection.request(method, self._target.path + path, payload, self._headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise UnreachableError(f"target {self._target.authority} is unreachable: {error}") from error
        try:
            return response.status, json.loads(content)
        except ValueError:
            return response.status, None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def model_name(control: Control, given: str) -> str:
    """The model to ask for: the given one, else the first of `/v1/models`. Also shows that
    the target is there.

    Raises UnreachableError, or ValueError when the target names no model.
    """
    status, answer = control.ask("GET", "/v1/models")
    if given:
        return given
    names = [entry.get("id") for entry in (answer or {}).get("data", [])] if isinstance(answer, dict) else []
    if not names:
        raise ValueError(f"model: the target names none (/v1/models answered {status}); give it with --model")
    return str(names[0])


def prompt_cost(control: Control, model: str) -> TokenCost:
    """Word costs measured with the target's `/tokenize`; one token a word where it has
    none or answers nonsense."""

    def count(messages: Messages) -> int:
        status, answer = control.ask("POST", "/tokenize", {"model": model, "messages": messages})
        if status != 200:
            raise LookupError(status)
        return int(answer["count"])

    try:
        return calibrate(count)
    except (LookupError, TypeError, ValueError, UnreachableError):
        return ONE_EACH
