"""Reads a completion request, which has prompts in place of messages, and writes its answer; no I/O."""

from __future__ import annotations

from typing import Any

import orjson

from experiments.twin.asked import (
    Asked,
    answered,
    asked_of,
    check_model,
    check_stream_options,
    limit_of,
)
from experiments.twin.body_fields import CompletionFields, read
from experiments.twin.chat import Answer
from experiments.twin.refusal import BadRequestError, of_value

DEFAULT_MAX_TOKENS = 16
Prompt = str | list[int]


def parse(body: bytes, model: str, max_model_len: int) -> Asked:
    """The request in `body`; see `chat.parse`. A word of a text is a token, as is a number of a list.

    Raises:
        BadRequestError: with the status that vLLM answers.
    """
    fields = read(CompletionFields, body)
    check_stream_options(fields)
    if fields.prompt is None or fields.prompt == "":
        raise of_value("Either prompt or prompt_embeds must be provided and non-empty.", "prompt")
    check_model(fields.model, model)
    if fields.suffix is not None:
        raise BadRequestError(
            "suffix is only supported for models with FIM completion rendering", param="suffix"
        )
    prompts = []
    for number, prompt in enumerate(_prompts(fields)):
        tokens = max(1, len(prompt.split() if isinstance(prompt, str) else prompt))
        limit = _limit(fields, tokens, max_model_len)
        fields.check_sampling(limit)
        text = prompt if isinstance(prompt, str) else " ".join(map(str, prompt))
        prompts.append(answered(fields, tokens, limit, b"%b %d" % (body, number), text))
    return asked_of(fields, model, prompts, echo=bool(fields.echo))


def _prompts(fields: CompletionFields) -> list[Prompt]:
    """Each prompt of the request."""
    given = fields.prompt
    if isinstance(given, str):
        return [given]
    assert given is not None, "that was refused"
    if not given:
        raise BadRequestError("You must pass at least one prompt")
    numbers = [token for token in given if isinstance(token, int)]
    prompts: list[Prompt] = [numbers] if numbers else [one for one in given if not isinstance(one, int)]
    if not all(prompts):
        raise BadRequestError("The decoder prompt cannot be empty")
    return prompts


def _limit(fields: CompletionFields, prompt_tokens: int, max_model_len: int) -> int:
    """An echo alone, max_tokens 0, costs a token that is not shown."""
    if fields.echo and fields.max_tokens == 0:
        return 1
    return limit_of(fields.max_tokens, DEFAULT_MAX_TOKENS, prompt_tokens, max_model_len)


class CompletionAnswer(Answer):
    """As text, with no first chunk for a role; an echo comes with the first token."""

    id_prefix = "cmpl"
    whole_object = chunk_object = "text_completion"

    def head(self) -> bytes:
        return b""

    def _delta(self, choice: int, text: str, *, first: bool) -> bytes:
        return b'"text":%b,"logprobs":null' % orjson.dumps(self._echoed(choice, text) if first else text)

    def _content(self, choice: int, text: str) -> dict[str, Any]:
        return {"text": self._echoed(choice, f" {text}")}

    def _echoed(self, choice: int, text: str) -> str:
        if not self._asked.echo:
            return text
        own = self._asked.prompt_of(choice).text
        return own if self._asked.echo_only else own + text
