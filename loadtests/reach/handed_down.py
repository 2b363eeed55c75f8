"""Credentials from one process to the next: in the environment, since a command line can be seen by everybody
on the machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from loadtests.reach.endpoint import Endpoint

API_KEY_VARIABLE = "GATEWAY_API_KEY"
"""Where --api-key comes from when it is not typed."""
VARIABLE = "HEADROOM_CREDENTIALS"
"""JSON: address without login → [login, key]."""


def to_text(endpoints: Iterable[Endpoint]) -> str:
    """The credentials of these servers, as `endpoint` takes them; empty where none has any."""
    known = {to.url: [to.login, to.api_key] for to in endpoints if to.login or to.api_key}
    return json.dumps(known) if known else ""


def to_environment(endpoints: Iterable[Endpoint]) -> dict[str, str]:
    """The same as a variable for a child; none where there is nothing to tell."""
    text = to_text(endpoints)
    return {VARIABLE: text} if text else {}


def from_text(text: str) -> list[Endpoint]:
    """The servers of `to_text`. Raises ValueError: it is none of ours."""
    try:
        known = json.loads(text or "{}")
        return [replace(Endpoint.parse(url), login=login, api_key=key) for url, (login, key) in known.items()]
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"{VARIABLE}: not what another command of this project wrote") from None


def endpoint(url: str, api_key: str, handed_down: str) -> Endpoint:
    """The server at `url`. What its URL and `api_key` do not say of its credentials is taken from
    `handed_down`, a text of `to_text`.

    Raises ValueError: it is no URL, or the text is none of ours.
    """
    to = Endpoint.parse(url, api_key)
    for other in from_text(handed_down):
        if other.url == to.url:
            return replace(to, login=to.login or other.login, api_key=to.api_key or other.api_key)
    return to
