"""What each route looks like at the wire: a request, the engine's answer whole and streamed, and errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway import served
from gateway.served import Served
from tests.gateway.scripted_engine import DONE, completion, event, usage_event


@dataclass(frozen=True)
class Streamed:
    """The events of a stream: what comes before the first token, a piece of text, and the end with its usage;
    after: what the API knows as an error within it; ends: the mark of a whole stream.
    """

    before: str
    pieces: tuple[str, str]
    end: str
    after: str
    ends: str


@dataclass(frozen=True)
class Api:
    """served: its row; body: a request; answer: the whole one; tokens: prompt and output that it tells.

    error: the engine's own 4xx. stream: None where it has none.
    """

    served: Served
    body: Mapping[str, Any]
    answer: str
    tokens: tuple[int, int] = (3, 2)
    error: str = '{"error":{"message":"too long","type":"BadRequestError","param":null,"code":400}}'
    stream: Streamed | None = field(default=None, repr=False)

    @property
    def path(self) -> str:
        """Where it is asked."""
        return self.served.path.decode()

    @property
    def name(self) -> str:
        """Of its route."""
        return self.served.route.value

    def error_of(self, body: bytes) -> dict[str, Any]:
        """The error object of an answer of ours, which must have the API's form."""
        told = json.loads(body)
        assert (told.get("type") == "error") is (self.served.errors is served.MESSAGES.errors), told
        assert set(told) <= {"type", "error"}, told
        return dict(told["error"])


def named(kind: str, **fields: Any) -> str:
    """An event with a name, as vLLM writes them."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


_RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "in_progress",
    "error": None,
    "output": [],
}
_DONE = {
    **_RESPONSE,
    "status": "completed",
    "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "hello"}]}],
}
_MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "tiny"}


def _text(number: int, text: str) -> str:
    place = {"sequence_number": number, "item_id": "m", "output_index": 0, "content_index": 0}
    return named("response.output_text.delta", **place, delta=text, logprobs=[])


def _block(text: str) -> str:
    return named("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


CHAT = Api(
    served.CHAT,
    {"messages": [{"role": "user", "content": "one two"}]},
    completion(),
    stream=Streamed(
        event("", role="assistant"),
        (event("hel"), event("lo")),
        usage_event() + DONE,
        'data: {"error": {"message": "out of memory", "code": 500}}\n\n',
        DONE,
    ),
)
RESPONSES = Api(
    served.RESPONSES,
    {"input": "one two"},
    json.dumps(_DONE),
    stream=Streamed(
        named("response.created", sequence_number=0, response=_RESPONSE)
        + named("response.in_progress", sequence_number=1, response=_RESPONSE),
        (_text(2, "hel"), _text(3, "lo")),
        named("response.output_text.done", sequence_number=4, text="hello")
        + named("response.completed", sequence_number=5, response=_DONE),
        named("error", sequence_number=3, code="server_error", message="out of memory", param=None),
        "event: response.completed\n",
    ),
)
MESSAGES = Api(
    served.MESSAGES,
    {"messages": [{"role": "user", "content": "one two"}], "max_tokens": 5, "model": "tiny"},
    json.dumps(
        {
            **_MESSAGE,
            "content": [{"type": "text", "text": "hello"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 2},
        }
    ),
    error='{"type":"error","error":{"type":"BadRequestError","message":"too long"}}',
    stream=Streamed(
        named(
            "message_start",
            message={**_MESSAGE, "usage": {"input_tokens": 3, "output_tokens": 0}},
        )
        + named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        (_block("hel"), _block("lo")),
        named("content_block_stop", index=0)
        + named(
            "message_delta",
            delta={"stop_reason": "end_turn"},
            usage={"input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 2},
        )
        + named("message_stop"),
        named("error", error={"type": "internal_error", "message": "out of memory"}),
        "event: message_stop\n",
    ),
)
_POOLED = {"prompt_tokens": 3, "total_tokens": 3}
EMBEDDINGS = Api(
    served.EMBEDDINGS,
    {"input": ["one", "two"]},
    json.dumps({"object": "list", "data": [{"index": 0, "embedding": [0.5]}], "usage": _POOLED}),
    (3, 0),
)
RERANK = Api(
    served.RERANK,
    {"query": "one", "documents": ["two", "three"]},
    json.dumps({"id": "r", "results": [{"index": 0, "relevance_score": 0.5}], "usage": _POOLED}),
    (3, 0),
)
SCORE = Api(
    served.SCORE,
    {"text_1": "one", "text_2": ["two", "three"]},
    json.dumps({"object": "list", "data": [{"index": 0, "score": 0.5}], "usage": _POOLED}),
    (3, 0),
)
COUNT_TOKENS = Api(
    served.COUNT_TOKENS,
    {"messages": [{"role": "user", "content": "one two"}], "model": "tiny"},
    '{"input_tokens":7}',
    (0, 0),
    error=MESSAGES.error,
)
TOKENIZE = Api(
    served.TOKENIZE, {"prompt": "one two"}, '{"count":2,"max_model_len":64,"tokens":[1,2]}', (0, 0)
)
DETOKENIZE = Api(served.DETOKENIZE, {"tokens": [1, 2]}, '{"prompt":"one two"}', (0, 0))

STREAMED = (CHAT, RESPONSES, MESSAGES)
ALL = (*STREAMED, EMBEDDINGS, RERANK, SCORE, COUNT_TOKENS, TOKENIZE, DETOKENIZE)
