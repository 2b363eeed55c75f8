"""Reads a request of Anthropic's Messages API and writes its answer in vLLM's words; no I/O."""

from __future__ import annotations

from typing import Any

import orjson

from experiments.twin.asked import Asked, answered, asked_of, check_model, limit_of
from experiments.twin.body_fields import CountFields, MessageFields, read
from experiments.twin.chat import Answer, count_tokens

_REASONS = {"stop": "end_turn", "length": "max_tokens"}


def parse(body: bytes, model: str, max_model_len: int) -> Asked:
    """The request in `body`; see `chat.parse`.

    Raises:
        BadRequestError: with the status that vLLM answers.
    """
    fields = read(MessageFields, body)
    check_model(fields.model, model)
    prompt_tokens = count_tokens(_messages(fields))
    limit = limit_of(fields.max_tokens, None, prompt_tokens, max_model_len)
    fields.check_sampling(limit)
    return asked_of(fields, model, [answered(fields, prompt_tokens, limit, body)])


def counted(body: bytes, model: str) -> bytes:
    """The answer to a request that only counts. Raises BadRequestError as `parse` does."""
    fields = read(CountFields, body)
    check_model(fields.model, model)
    tokens = count_tokens(_messages(fields))
    told = {"input_tokens": tokens, "context_management": {"original_input_tokens": tokens}}
    return orjson.dumps(told)


def _messages(fields: CountFields | MessageFields) -> list[Any]:
    system = [] if fields.system is None else [{"role": "system", "content": fields.system}]
    return [*system, *fields.messages]


class MessageAnswer(Answer):
    """As events with names: one block of text."""

    id_prefix = "chatcmpl"

    def head(self) -> bytes:
        usage = {"input_tokens": self._asked.usage()["prompt_tokens"], "output_tokens": 0}
        begun = {**self._message([]), "stop_reason": None, "stop_sequence": None, "usage": usage}
        block = {"type": "text", "text": ""}
        start = _named("content_block_start", content_block=block, index=0)
        return _named("message_start", message=begun) + start

    def chunk(self, choice: int) -> bytes:
        text = " " + self._word(self._sent[choice])
        self._sent[choice] += 1
        return _named("content_block_delta", delta={"type": "text_delta", "text": text}, index=0)

    def tail(self) -> bytes:
        delta = {"stop_reason": self._reason(), "stop_sequence": None}
        return b"".join(
            (
                _named("content_block_stop", index=0),
                _named("message_delta", delta=delta, usage=self._usage()),
                _named("message_stop"),
            )
        )

    def whole(self) -> bytes:
        words = [" " + self._word(i) for i in range(self._asked.prompts[0].output_tokens)]
        ended = self._message([{"type": "text", "text": "".join(words)}])
        return orjson.dumps({**ended, "stop_reason": self._reason(), "usage": self._usage()})

    def _message(self, content: list[Any]) -> dict[str, object]:
        head = {"id": self._id, "type": "message", "role": "assistant"}
        return {**head, "content": content, "model": self._asked.model}

    def _reason(self) -> str:
        return _REASONS[self._asked.prompts[0].finish_reason]

    def _usage(self) -> dict[str, int]:
        told = self._asked.usage()
        return {"input_tokens": told["prompt_tokens"], "output_tokens": told["completion_tokens"]}


def _named(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))
