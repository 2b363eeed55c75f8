"""Reads a chat request and writes its answer in vLLM's words; no I/O."""

from __future__ import annotations

import zlib
from pathlib import Path
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
from experiments.twin.body_fields import ChatFields, read
from experiments.twin.refusal import BadRequestError, of_value

WORDS_FILE = Path(__file__).parents[1] / "stack" / "words.txt"
TOKENS_PER_MESSAGE = 3  # the start mark, the role and the end mark of the tiny model's template
TOKENS_PER_PROMPT = 2  # the start mark and role of the answer


def count_tokens(messages: list[Any]) -> int:
    """Tokens of a chat, by the tiny model's rule: each word is one, plus the marks around each message.

    Raises:
        BadRequestError: it is not a list of messages with a role and a text.
    """
    if not messages:
        raise BadRequestError(
            "Cannot apply chat template to an empty conversation. Provide at least one message."
        )
    total = TOKENS_PER_PROMPT
    for number, message in enumerate(messages):
        total += TOKENS_PER_MESSAGE + len(_text_of(message, number).split())
    return total


def _text_of(message: Any, number: int) -> str:
    """The text of a message; "" where it has no content at all, as for a call of a tool."""
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise _no_message(number, "role", message)
    content = message.get("content", "")
    if isinstance(content, list):
        content = " ".join(part.get("text", "") for part in content if isinstance(part, dict))
    if not isinstance(content, str):
        raise _no_message(number, "content", content)
    return content


def _no_message(number: int, what: str, given: object) -> BadRequestError:
    """vLLM lists what each of its kinds of messages lacks; here it is said of the first kind."""
    place = f"body.messages.{number}.ChatCompletionDeveloperMessageParam.{what}"
    return BadRequestError(
        f"1 validation error:\n  {{'loc': '{place}', 'msg': 'not a message', 'input': {str(given)!r}}}",
        kind="Bad Request",
        param=place,
    )


def parse(body: bytes, model: str, max_model_len: int) -> Asked:
    """The request in `body`, for an engine that serves `model` with a context of `max_model_len` tokens.

    The answer has `max_tokens` tokens where `ignore_eos` is set; otherwise it may stop before.

    Raises:
        BadRequestError: with the status that vLLM answers.
    """
    fields = read(ChatFields, body)
    check_stream_options(fields)
    _check_logprobs(fields)
    check_model(fields.model, model)
    prompt_tokens = count_tokens(fields.messages)
    given = fields.max_completion_tokens if fields.max_completion_tokens is not None else fields.max_tokens
    limit = limit_of(given, None, prompt_tokens, max_model_len)
    fields.check_sampling(limit)
    return asked_of(fields, model, [answered(fields, prompt_tokens, limit, body)])


def _check_logprobs(fields: ChatFields) -> None:
    wanted = fields.top_logprobs
    if wanted is None or wanted == 0:
        return
    if wanted < -1:
        raise of_value("`top_logprobs` must be a positive value or -1.", "top_logprobs", wanted)
    if not fields.logprobs:
        raise of_value("when using `top_logprobs`, `logprobs` must be set to true.", "top_logprobs")


class Answer:
    """The text and JSON of one answer, made so that a token costs little. Choices count over all prompts."""

    id_prefix = "chatcmpl"
    whole_object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def __init__(self, asked: Asked, request_id: str, created_s: int, words: list[str]) -> None:
        self._asked = asked
        self._id = f"{self.id_prefix}-{request_id}"
        self._created_s = created_s
        self._words = words
        self._offset = zlib.crc32(self._id.encode())
        self._sent = [0] * asked.answers
        opening = orjson.dumps(
            {"id": self._id, "object": self.chunk_object, "created": created_s, "model": asked.model}
        )
        self._opening = b"data: " + opening[:-1] + b',"choices":['

    def head(self) -> bytes:
        """What precedes the first token: a chunk with the role for each choice."""
        return b"".join(
            self._event(i, b'"delta":{"role":"assistant","content":""},"logprobs":null', b"null")
            for i in range(self._asked.answers)
        )

    def chunk(self, choice: int) -> bytes:
        """The next token of a choice."""
        prompt = self._asked.prompt_of(choice)
        text = " " + self._word(self._sent[choice])
        first = self._sent[choice] == 0
        self._sent[choice] += 1
        ended = self._sent[choice] == prompt.output_tokens
        reason = b'"%b"' % prompt.finish_reason.encode() if ended else b"null"
        return self._event(choice, self._delta(choice, text, first=first), reason)

    def tail(self) -> bytes:
        """The usage chunk, where asked for, and the end mark."""
        end = b"data: [DONE]\n\n"
        if not self._asked.include_usage:
            return end
        return self._opening + b'],"usage":' + orjson.dumps(self._asked.usage()) + b"}\n\n" + end

    def whole(self) -> bytes:
        """The answer that is not streamed."""
        choices = []
        for index in range(self._asked.answers):
            prompt = self._asked.prompt_of(index)
            text = " ".join(self._word(i) for i in range(prompt.output_tokens))
            content = self._content(index, text)
            choices.append(
                {"index": index, **content, "logprobs": None, "finish_reason": prompt.finish_reason}
            )
        return orjson.dumps(
            {
                "id": self._id,
                "object": self.whole_object,
                "created": self._created_s,
                "model": self._asked.model,
                "choices": choices,
                "usage": self._asked.usage(),
            }
        )

    def _delta(self, choice: int, text: str, *, first: bool) -> bytes:
        """Of a chunk's choice, what holds the text."""
        return b'"delta":{"content":%b},"logprobs":null' % orjson.dumps(text)

    def _content(self, choice: int, text: str) -> dict[str, Any]:
        """Of a whole choice, what holds the text."""
        return {"message": {"role": "assistant", "content": text}}

    def _word(self, number: int) -> str:
        return self._words[(self._offset + number) % len(self._words)]

    def _event(self, choice: int, content: bytes, reason: bytes) -> bytes:
        usage = self._usage_so_far(choice) if self._asked.usage_in_chunks else b""
        return b'%b{"index":%d,%b,"finish_reason":%b}]%b}\n\n' % (
            self._opening,
            choice,
            content,
            reason,
            usage,
        )

    def _usage_so_far(self, choice: int) -> bytes:
        prompt, sent = self._asked.prompt_of(choice).prompt_tokens, self._sent[choice]
        usage = {"prompt_tokens": prompt, "total_tokens": prompt + sent, "completion_tokens": sent}
        return b',"usage":' + orjson.dumps(usage)


def load_words() -> list[str]:
    """The words that answers are made of: the tiny model's."""
    return WORDS_FILE.read_text(encoding="utf-8").split()
