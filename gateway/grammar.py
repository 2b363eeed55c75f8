"""What an API's answers say, told apart from how they are handed on: one grammar for each kind of answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gateway import chunk, sse

Said = Mapping[str, object]
"""The JSON object of an answer or of an event."""


@dataclass(frozen=True, slots=True, eq=False)
class Grammar:
    """Of a stream's events. plain(events, start, end), plain_bytes(events): which need no look into them, as
    `sse.plain` and `sse.plain_bytes` say it; begins: what each of these has once.

    has_content, finishes, error_in: as in `chunk`; usage: the counts in an event, with the names of chats,
    None for none; lasts: types of the event that ends a stream, none where that is [DONE]; prefaced: whether
    events come before the engine has worked, so that the first of them says nothing of the first token.

    Of a whole answer: error_of: an error in its place; usage_of: its counts; failed: whether it says so;
    bytes_too: it may be no JSON, where the client asked for that.
    """

    plain: Callable[[bytes, int, bytes], bool]
    plain_bytes: Callable[[bytes], int]
    begins: bytes
    has_content: Callable[[Said], bool]
    finishes: Callable[[Said], list[tuple[int, str]]]
    error_in: Callable[[Said], object]
    usage: Callable[[Said], object]
    error_of: Callable[[Said], object]
    usage_of: Callable[[Said], object]
    failed: Callable[[Said], bool]
    lasts: frozenset[str] = frozenset()
    prefaced: bool = False
    bytes_too: bool = False

    def is_last(self, event: Said) -> bool:
        """Whether a stream ends with it."""
        kind = event.get("type")
        return type(kind) is str and kind in self.lasts


def usage_in(said: Said) -> object:
    """As chats tell it."""
    return said.get("usage")


def _error_of_completion(said: Said) -> object:
    return None if said.get("choices") else chunk.error_in(said)


COMPLETION = Grammar(
    plain=sse.plain,
    plain_bytes=sse.plain_bytes,
    begins=b"data: {",
    has_content=chunk.has_content,
    finishes=chunk.finishes,
    error_in=chunk.error_in,
    usage=usage_in,
    error_of=_error_of_completion,
    usage_of=usage_in,
    failed=chunk.fails,
)
"""Of chats and completions."""


def _pooled(said: Said) -> object:
    """Vectors and scores: nothing is generated."""
    usage = said.get("usage")
    return {"completion_tokens": 0, **usage} if type(usage) is dict else None


def _not_told(said: Said) -> None:
    """What only counts takes nothing that would be counted."""


POOLED = replace(COMPLETION, error_of=chunk.error_in, usage_of=_pooled, bytes_too=True)
"""Of embeddings, scores and ranks, which are never streamed."""

COUNTED = replace(COMPLETION, error_of=chunk.error_in, usage_of=_not_told)
"""Of tokens that are counted, or made to text."""
