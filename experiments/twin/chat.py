"""Reads a chat request and writes its answer in vLLM's words; no I/O."""

from __future__ import annotations

import math
import random
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

WORDS_FILE = Path(__file__).parents[1] / "stack" / "words.txt"
TOKENS_PER_MESSAGE = 3  # the start mark, the role and the end mark of the tiny model's template
TOKENS_PER_PROMPT = 2  # the start mark and role of the answer
NATURAL_LENGTH = (5.02, 0.86)  # lognormal; the outputs of the Azure 2023 conversation trace


class BadRequestError(Exception):
    """What vLLM would refuse: status, type and message of its answer."""

    def __init__(
        self, message: str, status: int = 400, kind: str = "BadRequestError", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = orjson.dumps(
            {"error": {"message": message, "type": kind, "param": param, "code": status}}
        )


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What of a request decides its answer. Lengths in tokens."""

    model: str
    prompt_tokens: int
    output_tokens: int
    finish_reason: str
    choices: int
    stream: bool
    include_usage: bool
    usage_in_chunks: bool


def count_tokens(messages: Any) -> int:
    """Tokens of a chat, by the tiny model's rule: each word is one, plus the marks around each message.

    Raises:
        BadRequestError: it is not a list of messages with a role and a text.
    """
    if not isinstance(messages, list) or not messages:
        raise BadRequestError("messages must be a list with at least one message", param="messages")
    total = TOKENS_PER_PROMPT
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            content = " ".join(part.get("text", "") for part in content if isinstance(part, dict))
        if not isinstance(content, str):
            raise BadRequestError("each message needs a role and a content", param="messages")
        total += TOKENS_PER_MESSAGE + len(content.split())
    return total


def parse(body: bytes, model: str, max_model_len: int) -> ChatRequest:
    """The request in `body`, for an engine that serves `model` with a context of `max_model_len` tokens.

    The answer has `max_tokens` tokens where `ignore_eos` is set; otherwise it may stop before, at a length
    drawn from the prompt (the same prompt has always the same length), never below `min_tokens`.

    Raises:
        BadRequestError: with the status that vLLM answers.
    """
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    if not isinstance(asked, dict):
        raise BadRequestError("the body must be a JSON object")
    name = asked.get("model") or model
    if name != model:
        raise BadRequestError(f"The model `{name}` does not exist.", 404, "NotFoundError", "model")
    prompt_tokens = count_tokens(asked.get("messages"))
    limit = asked.get("max_completion_tokens") or asked.get("max_tokens") or max_model_len - prompt_tokens
    choices, at_least = asked.get("n") or 1, asked.get("min_tokens") or 0
    for key, value in (("max_tokens", limit), ("n", choices)):
        if not isinstance(value, int) or value < 1:
            raise BadRequestError(f"{key} must be an integer of at least 1, got {value!r}", param=key)
    if prompt_tokens + limit > max_model_len:
        raise BadRequestError(
            f"This model's maximum context length is {max_model_len} tokens; the request asks for "
            f"{prompt_tokens} prompt tokens and max_tokens={limit}.",
            param="max_tokens",
        )
    natural = limit if asked.get("ignore_eos") else max(_natural_length(body), at_least, 1)
    options = asked.get("stream_options") or {}
    return ChatRequest(
        model=model,
        prompt_tokens=prompt_tokens,
        output_tokens=min(limit, natural),
        finish_reason="stop" if natural < limit else "length",
        choices=choices,
        stream=bool(asked.get("stream")),
        include_usage=bool(options.get("include_usage")),
        usage_in_chunks=bool(options.get("continuous_usage_stats")),
    )


class Answer:
    """The text and JSON of one answer, made so that a token costs little."""

    def __init__(self, request: ChatRequest, request_id: str, created_s: int, words: list[str]) -> None:
        self._request = request
        self._id = request_id
        self._created_s = created_s
        self._words = words
        self._offset = zlib.crc32(request_id.encode())
        self._sent = [0] * request.choices
        opening = orjson.dumps(
            {
                "id": request_id,
                "object": "chat.completion.chunk",
                "created": created_s,
                "model": request.model,
            }
        )
        self._opening = b"data: " + opening[:-1] + b',"choices":['

    def head(self) -> bytes:
        """The empty role chunks that precede the first token."""
        role = b'"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n'
        return b"".join(b'%b{"index":%d,%b' % (self._opening, i, role) for i in range(self._request.choices))

    def chunk(self, choice: int) -> bytes:
        """The next token of a choice."""
        sent = self._sent[choice]
        self._sent[choice] = sent + 1
        reason = b"null"
        if sent + 1 == self._request.output_tokens:
            reason = b'"%b"' % self._request.finish_reason.encode()
        word = self._words[(self._offset + sent) % len(self._words)].encode()
        return b'%b{"index":%d,"delta":{"content":" %b"},"logprobs":null,"finish_reason":%b}]%b}\n\n' % (
            self._opening,
            choice,
            word,
            reason,
            self._usage_so_far(choice) if self._request.usage_in_chunks else b"",
        )

    def _usage_so_far(self, choice: int) -> bytes:
        prompt, sent = self._request.prompt_tokens, self._sent[choice]
        usage = {"prompt_tokens": prompt, "total_tokens": prompt + sent, "completion_tokens": sent}
        return b',"usage":' + orjson.dumps(usage)

    def tail(self) -> bytes:
        """The usage chunk, where asked for, and the end mark."""
        end = b"data: [DONE]\n\n"
        if not self._request.include_usage:
            return end
        return self._opening + b'],"usage":' + orjson.dumps(self._usage()) + b"}\n\n" + end

    def whole(self) -> bytes:
        """The answer that is not streamed."""
        size = self._request.output_tokens
        text = " ".join(self._words[(self._offset + i) % len(self._words)] for i in range(size))
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": text},
                "logprobs": None,
                "finish_reason": self._request.finish_reason,
            }
            for index in range(self._request.choices)
        ]
        return orjson.dumps(
            {
                "id": self._id,
                "object": "chat.completion",
                "created": self._created_s,
                "model": self._request.model,
                "choices": choices,
                "usage": self._usage(),
            }
        )

    def _usage(self) -> dict[str, int]:
        output = self._request.output_tokens * self._request.choices
        prompt = self._request.prompt_tokens
        return {"prompt_tokens": prompt, "total_tokens": prompt + output, "completion_tokens": output}


def load_words() -> list[str]:
    """The words that answers are made of: the tiny model's."""
    return WORDS_FILE.read_text(encoding="utf-8").split()


def _natural_length(body: bytes) -> int:
    """Where this answer would stop by itself, in tokens."""
    return max(1, math.ceil(random.Random(zlib.crc32(body)).lognormvariate(*NATURAL_LENGTH)))
