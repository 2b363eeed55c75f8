"""What a chunk of a completion says: content, usage, an end, an error. All that engines send can be read."""

from collections.abc import Mapping

THOUGHTS = ("reasoning_content", "reasoning")
SHOWN = ("content", "tool_calls", "function_call", "refusal", "audio")
FAILED = frozenset(
    ("abort", "aborted", "cancelled", "error", "network_error", "insufficient_system_resource")
)
"""Finish reasons with which an engine says that the answer failed, although its status is 200."""


def has_content(chunk: Mapping[str, object]) -> bool:
    """Whether a chunk carries something of the answer: text, reasoning, a refusal or a call of a tool."""
    for choice in _choices(chunk):
        if _filled(choice.get("text")):
            return True
        delta = choice.get("delta")
        if type(delta) is dict and any(_filled(delta.get(key)) for key in (*SHOWN, *THOUGHTS)):
            return True
    return False


def finishes(chunk: Mapping[str, object]) -> list[tuple[int, str]]:
    """Index and finish reason of each choice that ends here.

    Some engines write "" or "null" for none into every chunk, some an object with the reason as its `type`.
    """
    found = []
    for choice in _choices(chunk):
        reason = choice.get("finish_reason")
        if type(reason) is dict:
            reason = reason.get("type")
        if type(reason) is str and reason not in ("", "null"):
            index = choice.get("index")
            found.append((index if type(index) is int else 0, reason.lower()))
    return found


def fails(chunk: Mapping[str, object]) -> bool:
    """Whether a choice ends here with a reason that says so."""
    return any(reason in FAILED for _, reason in finishes(chunk))


def error_in(chunk: Mapping[str, object]) -> object:
    """The error that a chunk reports: an object or a text, or None."""
    error = chunk.get("error")
    if error:
        return error
    return chunk if "error" in (chunk.get("object"), chunk.get("type")) else None


def count(value: object) -> int | None:
    """A number of tokens: whole and not negative, though written as 5.0 by some. None for anything else."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and value >= 0 else None


def _choices(chunk: Mapping[str, object]) -> list[dict[str, object]]:
    choices = chunk.get("choices")
    return [choice for choice in choices if type(choice) is dict] if type(choices) is list else []


def _filled(value: object) -> bool:
    return any(value) if type(value) is list else bool(value) and type(value) in (str, dict)
