"""What vLLM answers to a request that it refuses: status, and the JSON of its error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from pydantic_core import ErrorDetails


class BadRequestError(Exception):
    """What vLLM would refuse: status, type and message of its answer."""

    def __init__(
        self, message: str, status: int = 400, kind: str = "BadRequestError", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self._kind = kind
        self.body = orjson.dumps(
            {"error": {"message": message, "type": kind, "param": param, "code": status}}
        )

    def as_message(self) -> bytes:
        """The body in the form of Anthropic's API."""
        return orjson.dumps({"type": "error", "error": {"type": self._kind, "message": str(self)}})


class NoSuchRouteError(BadRequestError):
    """A path, or a method of one, that is not served: what FastAPI answers for vLLM."""

    def __init__(self, status: int) -> None:
        detail = {404: "Not Found", 405: "Method Not Allowed"}[status]
        super().__init__(detail, status)
        self.body = orjson.dumps({"detail": detail})


def of_value(message: str, param: str, value: object | None = None) -> BadRequestError:
    """A value that a parameter cannot have, in vLLM's form."""
    told = f", value={value}" if value is not None else ""
    return BadRequestError(f"{message} (parameter={param}{told})", param=param)


def of_fields(faults: Sequence[ErrorDetails]) -> BadRequestError:
    """Fields that are missing or of another type, as vLLM lists them: a line for each."""
    rows = [_row(fault) for fault in faults]
    head = f"{len(rows)} validation error{'s' * (len(rows) != 1)}:"
    text = "\n".join([head, *(f"  {row}" for row in rows)])
    return BadRequestError(text, kind="Bad Request", param=str(rows[0]["loc"]))


def not_json(position: int, why: str) -> BadRequestError:
    """A body that cannot be parsed, by the place and words of Python's JSON reader."""
    row = {"type": "json_invalid", "loc": ("body", position), "msg": "JSON decode error", "input": {}}
    return of_fields([ErrorDetails({**row, "ctx": {"error": why}})])  # type: ignore[typeddict-item] # as FastAPI makes it


def _row(fault: ErrorDetails) -> dict[str, Any]:
    place = [str(part) for part in fault["loc"] if not _is_branch(part)]
    row = {
        "type": fault["type"],
        "loc": ".".join(place),
        "msg": fault["msg"],
        "input": _shown(fault["input"]),
    }
    return row | ({"ctx": fault["ctx"]} if "ctx" in fault else {})


def _is_branch(part: int | str) -> bool:
    """Whether a part of a place is none of the body's but names an alternative of a type."""
    return isinstance(part, str) and ("[" in part or part in ("str", "int"))


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return f"<{type(value).__name__} of {len(value)} items>"
    return str(value)
