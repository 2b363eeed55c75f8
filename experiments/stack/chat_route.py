"""Whether an engine that somebody else runs takes chats: asked once, before anything starts."""

from __future__ import annotations

import httpx

from experiments.stack.engine_asked import unusable
from loadtests.reach import http_client, why
from loadtests.reach.endpoint import Endpoint

_PATIENCE_S = 15.0
_NO_SUCH_ROUTE = (404, 405, 501)


def require(engine: Endpoint, model: str) -> None:
    """Sends one request of one token. Only its status counts, and only where that says that no request will
    ever be answered: an engine that is busy, or has its own idea of a field, is for the probe to judge.

    Raises:
        EnvironmentProblem: a wrong path, or a refused key; in one sentence.
    """
    message = {"role": "user", "content": "hello"}
    asked = {"model": model, "messages": [message], "max_tokens": 1}
    try:
        with http_client.client(engine, _PATIENCE_S) as client:
            answer = client.post("/v1/chat/completions", json=asked)
    except httpx.TimeoutException:
        return
    except httpx.HTTPError as error:
        raise unusable(engine, why.unreachable(error, engine)) from None
    refused = why.refused(answer.status_code, answer.headers.get("www-authenticate", ""), engine)
    if refused is not None:
        raise unusable(engine, refused)
    page = why.is_page(answer.headers.get("content-type", ""), answer.content)
    if page and (answer.is_success or answer.status_code in _NO_SUCH_ROUTE):
        raise unusable(engine, "what is there are web pages, not an API; is the path right?")
    if answer.status_code in _NO_SUCH_ROUTE:
        raise unusable(engine, f"it answers /v1/chat/completions with {answer.status_code}{_said(answer)}")


def _said(answer: httpx.Response) -> str:
    """The engine's own words, or the question that helps without them."""
    try:
        text = answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return "; is the path right?"
    return f": {str(text)[:200]}"
