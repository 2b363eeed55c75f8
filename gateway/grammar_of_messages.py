"""What the events and answers of Anthropic's Messages API say."""

from gateway import chunk
from gateway.grammar import Grammar, Said
from gateway.named_events import NamedEvents

_PIECES = NamedEvents(
    opening=b"event: content_block_delta\ndata: {",
    mark=b"event: content_block_delta\ndata: {",
    never=b"signature",
)
_FILLED = ("text", "thinking", "partial_json")
_CALLS = frozenset(("tool_use", "server_tool_use", "mcp_tool_use"))
_INPUT = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def _has_content(event: Said) -> bool:
    """Text, thoughts or the input of a tool; the call of one begins with its name."""
    match event.get("type"):
        case "content_block_delta":
            delta = event.get("delta")
            return type(delta) is dict and any(delta.get(key) for key in _FILLED)
        case "content_block_start":
            block = event.get("content_block")
            return type(block) is dict and (block.get("type") in _CALLS or bool(block.get("text")))
    return False


def _finishes(_event: Said) -> list[tuple[int, str]]:
    """Only its last event says that a message is whole."""
    return []


def _usage(event: Said) -> object:
    """In its first event what the prompt takes, in a later one what the answer takes, both under the names of
    chats. Tokens that were read from a cache, or written to it, are counted beside the others.
    """
    message = event.get("message")
    told = message.get("usage") if type(message) is dict else event.get("usage")
    if type(told) is not dict:
        return None
    found: dict[str, object] = {}
    counts = [chunk.count(told.get(name)) for name in _INPUT]
    if counts[0] is not None:
        found["prompt_tokens"] = sum(count or 0 for count in counts)
    if told.get("output_tokens") is not None:
        found["completion_tokens"] = told["output_tokens"]
    return found


def _never(_message: Said) -> bool:
    """A message that failed is an error."""
    return False


MESSAGES = Grammar(
    plain=_PIECES.plain,
    plain_bytes=_PIECES.plain_bytes,
    begins=_PIECES.mark,
    has_content=_has_content,
    finishes=_finishes,
    error_in=chunk.error_in,
    usage=_usage,
    error_of=chunk.error_in,
    usage_of=_usage,
    failed=_never,
    lasts=frozenset(("message_stop",)),
    prefaced=True,
)
