"""What an SDK is told to do at several routes, and all that it then heard. Standard library only.

`python -m tests.clients.asking.routes_of_anthropic` reads JSON lines, an `At` each, and answers with a line
for each of its scenes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class At:
    """Where to ask. url: without /v1; scenes: their names, empty for all; retries: of the SDK itself; extra:
    fields of the body that it does not know.
    """

    url: str
    model: str
    key: str = "none"
    scenes: tuple[str, ...] = ()
    retries: int = 0
    extra: dict[str, Any] = field(default_factory=dict)


Heard = list[Any]
"""What came, in order, as plain JSON: whole answers, or events one by one."""

Scene = Callable[[At], Heard]


def serve(scenes: Mapping[str, Scene]) -> None:
    """Plays those that are asked for; an error is heard as its class, status and body."""
    for number, line in enumerate(sys.stdin):
        at = At(**json.loads(line))
        for name in at.scenes or scenes:
            told = {"scene": name, "at": number, "heard": _heard(scenes[name], at)}
            print(json.dumps(told), flush=True)


def _heard(scene: Scene, at: At) -> Heard:
    try:
        return scene(at)
    except Exception as error:
        kind = type(error)
        told = {"error": f"{kind.__module__.split('.')[0]}.{kind.__qualname__}"}
        status, body = getattr(error, "status_code", None), getattr(error, "body", None)
        return [{**told, "status": status, "body": body, "message": str(error)}]
