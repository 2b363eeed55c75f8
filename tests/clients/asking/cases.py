"""What a client is told to do and what it reports, in a process of its own. Standard library only.

`python -m tests.clients.asking.with_litellm` reads cases as JSON lines and answers each with one line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One chat completion of "one two three".

    url: with /v1; extra: fields that the client is not asked to know.
    """

    url: str
    key: str = "none"
    model: str = "tiny"
    stream: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """text: of the answer; error: the class that was raised, with its package; status, message: its own."""

    text: str = ""
    error: str = ""
    status: int | None = None
    message: str = ""


Ask = Callable[[Case], Iterable[str | None]]
"""Asks and yields the answer's text, in pieces where it is streamed."""


def serve(ask: Ask) -> None:
    """Does every case of standard input."""
    for line in sys.stdin:
        print(json.dumps(asdict(_report(ask, Case(**json.loads(line))))), flush=True)


def _report(ask: Ask, case: Case) -> Report:
    try:
        return Report("".join(piece or "" for piece in ask(case)))
    except Exception as error:
        kind = type(error)
        status = getattr(error, "status_code", None)
        return Report(error=f"{kind.__module__}.{kind.__qualname__}", status=status, message=str(error))
