"""What a chunk of a completion says: content, usage, ends, an error. Whatever an engine sends can be read.

The gateway reads chunks by itself; tests/chunks holds both to one table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

THOUGHTS = ("reasoning_content", "reasoning")
SHOWN = ("content", "tool_calls", "function_call", "refusal", "audio")
FAILED = frozenset(
    ("abort", "aborted", "cancelled", "error", "network_error", "insufficient_system_resource")
)
"""Finish reasons with which an engine says that the answer failed, although its status is 200."""
_THINKING_PARTS = ("thinking", "reasoning")


def choices_of(chunk: Mapping[str, object]) -> list[dict[str, object]]:
    """The choices that are objects."""
    choices = chunk.get("choices")
    return [choice for choice in choices if type(choice) is dict] if type(choices) is list else []


def content_of(choices: Sequence[Mapping[str, object]]) -> tuple[bool, bool]:
    """Whether a chunk carries something of the answer, and whether its reader sees that: reasoning is not
    seen; text, a refusal or a call of a tool is."""
    any_content = False
    for choice in choices:
        delta = choice.get("delta") or choice.get("message")
        if type(delta) is dict:
            content = delta.get("content")
            if content and type(content) is str:  # nearly every chunk there is
                return True, True
            if any(_filled(delta.get(key)) and not _thinking(delta[key]) for key in SHOWN):
                return True, True
            any_content |= any(_filled(delta.get(key)) for key in (*SHOWN, *THOUGHTS))
        if _filled(choice.get("text")):
            return True, True
    return any_content, False


def index_of(choice: Mapping[str, object]) -> int:
    """Which of several choices it is; 0 where it does not say."""
    index = choice.get("index")
    return index if type(index) is int else 0


def finish_reason_of(choice: Mapping[str, object]) -> str | None:
    """Why the choice ended, None while it has not.

    Some engines write "" or "null" for none into every chunk, some an object with the reason as its `type`.
    """
    reason = choice.get("finish_reason")
    if type(reason) is dict:
        reason = reason.get("type")
    return reason if type(reason) is str and reason not in ("", "null") else None


def error_in(chunk: Mapping[str, object]) -> object:
    """The error that a chunk reports: an object or a text, or None."""
    error = chunk.get("error")
    if error:
        return error
    return chunk if chunk.get("object") == "error" or chunk.get("type") == "error" else None


def count(value: object) -> int | None:
    """A number of tokens: whole and not negative, though written as 5.0 by some. None for anything else."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and value >= 0 else None


def _filled(value: object) -> bool:
    return any(value) if type(value) is list else bool(value) and type(value) in (str, dict)


def _thinking(value: object) -> bool:
    """Whether a content of parts has nothing but thoughts in it."""
    return type(value) is list and all(
        type(part) is dict and part.get("type") in _THINKING_PARTS for part in value if part
    )
