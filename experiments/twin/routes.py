"""What of the emulator's paths takes the engine's time: how each is read, and what its answer looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from experiments.twin import chat, completions, messages, pooled, responses
from experiments.twin.asked import Asked
from experiments.twin.chat import Answer
from experiments.twin.completions import CompletionAnswer
from experiments.twin.messages import MessageAnswer
from experiments.twin.responses import ResponseAnswer

Parse = Callable[[bytes, str, int], Asked]
"""Of a body, the model that is served, and its context in tokens. Raises BadRequestError."""

ANSWERED: Mapping[str, tuple[Parse, type[Answer]]] = {
    "/v1/chat/completions": (chat.parse, Answer),
    "/v1/completions": (completions.parse, CompletionAnswer),
    "/v1/responses": (responses.parse, ResponseAnswer),
    "/v1/messages": (messages.parse, MessageAnswer),
    "/v1/embeddings": (pooled.embeddings, pooled.Embeddings),
    **dict.fromkeys(("/rerank", "/v1/rerank", "/v2/rerank"), (pooled.rerank, pooled.Ranks)),
    **dict.fromkeys(("/score", "/v1/score"), (pooled.score, pooled.Scores)),
}
COUNTED = ("/tokenize", "/detokenize", "/v1/messages/count_tokens")
OTHERS = ("/health", "/ping", "/version", "/v1/models")

ALL = frozenset((*ANSWERED, *COUNTED, *OTHERS))
"""Where another method than the one that is served gets 405."""
