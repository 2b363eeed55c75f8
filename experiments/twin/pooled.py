"""Reads requests whose answers are vectors or scores, and writes these; no I/O.

They are no model's: drawn from the texts, so that the same text has the same ones. What is real is that each
input is a sequence whose prompt is read.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Sequence
from typing import Any

import orjson

from experiments.twin.asked import Asked, AskedPrompt, check_model
from experiments.twin.body_fields import EmbeddingFields, RerankFields, SamplingFields, ScoreFields, read
from experiments.twin.chat import Answer
from experiments.twin.refusal import BadRequestError

DIMENSIONS = 8


def embeddings(body: bytes, model: str, max_model_len: int) -> Asked:
    """The inputs in `body`. Raises BadRequestError with the status that vLLM answers."""
    fields = read(EmbeddingFields, body)
    given: Sequence[Any] = [fields.input] if isinstance(fields.input, str) else fields.input
    if given and isinstance(given[0], int):
        given = [given]
    texts = [one if isinstance(one, str) else " ".join(map(str, one)) for one in given]
    return _asked(fields, texts, model, max_model_len)


def rerank(body: bytes, model: str, max_model_len: int) -> Asked:
    """A pair for each document; see `embeddings`."""
    fields = read(RerankFields, body)
    return _asked(fields, [f"{fields.query} {text}" for text in fields.documents], model, max_model_len)


def score(body: bytes, model: str, max_model_len: int) -> Asked:
    """A pair of each first text with its second one, or of one with all; see `embeddings`."""
    fields = read(ScoreFields, body)
    first, second = fields.sides()
    if len(first) == 1:
        first = first * len(second)
    if len(first) != len(second):
        raise BadRequestError("Input lengths must be either 1:1, 1:N or N:N")
    return _asked(fields, [f"{a} {b}" for a, b in zip(first, second, strict=True)], model, max_model_len)


def _asked(fields: SamplingFields, texts: Sequence[str], model: str, max_model_len: int) -> Asked:
    check_model(fields.model, model)
    prompts = []
    for text in texts:
        tokens = max(1, len(text.split()))
        if tokens > max_model_len:
            raise BadRequestError(f"This model's maximum context length is {max_model_len} tokens.")
        prompts.append(AskedPrompt(tokens, 1, "stop", text))  # the step that reads the last of it
    if not prompts:
        raise BadRequestError("There is nothing to do: no input was given.")
    return Asked(model, tuple(prompts), 1, stream=False, include_usage=False, usage_in_chunks=False)


class Embeddings(Answer):
    """A vector for each input."""

    id_prefix = "embd"

    def whole(self) -> bytes:
        return orjson.dumps({**self._list("embedding", self._vector), "usage": self._usage()})

    def _list(self, kind: str, value: Any) -> dict[str, object]:
        data = [
            {"index": index, "object": kind, kind: value(prompt.text)}
            for index, prompt in enumerate(self._asked.prompts)
        ]
        head = {"id": self._id, "object": "list", "created": int(time.time()), "model": self._asked.model}
        return {**head, "data": data}

    def _usage(self) -> dict[str, int]:
        tokens = sum(prompt.prompt_tokens for prompt in self._asked.prompts)
        return {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0}

    def _vector(self, text: str) -> list[float]:
        drawn = random.Random(zlib.crc32(text.encode()))
        return [round(drawn.uniform(-1, 1), 6) for _ in range(DIMENSIONS)]

    def _score(self, text: str) -> float:
        return round(random.Random(zlib.crc32(text.encode())).random(), 6)


class Scores(Embeddings):
    """A score for each pair."""

    def whole(self) -> bytes:
        return orjson.dumps({**self._list("score", self._score), "usage": self._usage()})


class Ranks(Embeddings):
    """The documents, the best first."""

    id_prefix = "rerank"

    def whole(self) -> bytes:
        scores = [self._score(prompt.text) for prompt in self._asked.prompts]
        best_first = sorted(range(len(scores)), key=lambda index: -scores[index])
        texts = [prompt.text for prompt in self._asked.prompts]
        found = [
            {"index": index, "document": {"text": texts[index]}, "relevance_score": scores[index]}
            for index in best_first
        ]
        tokens = self._usage()["prompt_tokens"]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return orjson.dumps({"id": self._id, "model": self._asked.model, "usage": usage, "results": found})
