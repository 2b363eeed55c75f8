"""What the events and answers of OpenAI's Responses API say."""

from gateway import chunk
from gateway.grammar import Grammar, Said
from gateway.named_events import NamedEvents

_PIECES = NamedEvents(opening=b"event: response.", mark=b".delta\ndata: {", never=b'"delta":""')
_LASTS = frozenset(("response.completed", "response.incomplete", "response.failed"))
_NO_CALLS = frozenset(("message", "reasoning"))


def _has_content(event: Said) -> bool:
    """A piece of whatever is made: text, thoughts, arguments; the call of a tool begins with its name."""
    kind = event.get("type")
    if type(kind) is not str:
        return False
    if kind.endswith(".delta"):
        return bool(event.get("delta"))
    item = event.get("item") if kind == "response.output_item.added" else None
    return type(item) is dict and item.get("type") not in _NO_CALLS


def _finishes(event: Said) -> list[tuple[int, str]]:
    return [(0, "error")] if event.get("type") == "response.failed" else []


def _error_in(event: Said) -> object:
    """A `response.failed` has its error inside, and is an answer of its own."""
    return chunk.error_in(event) if event.get("type") not in _LASTS else None


def _usage(event: Said) -> object:
    return _usage_of(response) if type(response := event.get("response")) is dict else None


def _usage_of(response: Said) -> object:
    """Under the names of chats."""
    told = response.get("usage")
    if type(told) is not dict:
        return None
    return {"prompt_tokens": told.get("input_tokens"), "completion_tokens": told.get("output_tokens")}


def _error_of(response: Said) -> object:
    """A response with an error in it is one that failed."""
    return None if response.get("object") == "response" else chunk.error_in(response)


def _failed(response: Said) -> bool:
    return response.get("status") == "failed"


RESPONSES = Grammar(
    plain=_PIECES.plain,
    plain_bytes=_PIECES.plain_bytes,
    begins=_PIECES.mark,
    has_content=_has_content,
    finishes=_finishes,
    error_in=_error_in,
    usage=_usage,
    error_of=_error_of,
    usage_of=_usage_of,
    failed=_failed,
    lasts=_LASTS,
    prefaced=True,
)
