"""What an SDK is told to do at several routes, and all that it then heard. Standard library only.

`python -m tests.clients.asking.routes_of_anthropic` reads one JSON line with `At` and answers each of its
scenes with one line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class At:
    """Where to ask. url: without /v1; scenes: their names, empty for all."""

    url: str
    model: str
    key: str = "none"
    scenes: tuple[str, ...] = ()
    retries: int = 0


Heard = list[Any]
"""What came, in order, as plain JSON: whole answers, or events one by one."""

Scene = Callable[[At], Heard]


def serve(scenes: Mapping[str, Scene]) -> None:
    """Plays those that are asked for; an error is heard as its class, status and body."""
    at = At(**json.loads(sys.stdin.readline()))
    for name in at.scenes or scenes:
        try:
            heard = scenes[name](at)
        except Exception as error:
            kind = type(error)
            told = {"error": f"{kind.__module__.split('.')[0]}.{kind.__qualname__}"}
            status, body = getattr(error, "status_code", None), getattr(error, "body", None)
            heard = [{**told, "status": status, "body": body, "message": str(error)}]
        print(json.dumps({"scene": name, "heard": heard}), flush=True)
