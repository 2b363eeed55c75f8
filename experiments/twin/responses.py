"""Reads a request of the Responses API and writes its answer in vLLM's words; no I/O."""

from __future__ import annotations

from typing import Any

import orjson

from experiments.twin.asked import Asked, answered, asked_of, check_model, limit_of
from experiments.twin.body_fields import ResponseFields, read
from experiments.twin.chat import Answer, count_tokens


def parse(body: bytes, model: str, max_model_len: int) -> Asked:
    """The request in `body`; see `chat.parse`.

    Raises:
        BadRequestError: with the status that vLLM answers.
    """
    fields = read(ResponseFields, body)
    check_model(fields.model, model)
    prompt_tokens = count_tokens(_messages(fields))
    limit = limit_of(fields.max_output_tokens, None, prompt_tokens, max_model_len)
    fields.check_sampling(limit)
    return asked_of(fields, model, [answered(fields, prompt_tokens, limit, body)])


def _messages(fields: ResponseFields) -> list[Any]:
    """As a chat: the instructions, and each item with its text."""
    said: list[Any] = [] if fields.instructions is None else [_message("system", fields.instructions)]
    if isinstance(fields.input, str):
        return [*said, _message("user", fields.input)]
    for item in fields.input:
        text = item.get("content", item.get("output", item.get("arguments", "")))
        said.append(_message(str(item.get("role", "user")), text))
    return said


def _message(role: str, content: Any) -> dict[str, object]:
    return {"role": role, "content": content}


class ResponseAnswer(Answer):
    """As events with names and numbers, each a step of one message."""

    id_prefix = "resp"

    def head(self) -> bytes:
        self._events = 0
        begun = self._response("in_progress", [])
        item = {**self._item("in_progress"), "content": []}
        place = self._place()
        return b"".join(
            (
                self._named("response.created", response=begun),
                self._named("response.in_progress", response=begun),
                self._named("response.output_item.added", output_index=0, item=item),
                self._named("response.content_part.added", **place, part=_part("")),
            )
        )

    def chunk(self, choice: int) -> bytes:
        text = " " + self._word(self._sent[choice])
        self._sent[choice] += 1
        return self._named("response.output_text.delta", **self._place(), delta=text, logprobs=[])

    def tail(self) -> bytes:
        text, place = self._whole_text(), self._place()
        item = self._item("completed")
        return b"".join(
            (
                self._named("response.output_text.done", **place, text=text, logprobs=[]),
                self._named("response.content_part.done", **place, part=_part(text)),
                self._named("response.output_item.done", output_index=0, item=item),
                self._named("response.completed", response=self._ended()),
            )
        )

    def whole(self) -> bytes:
        return orjson.dumps(self._ended())

    def _named(self, kind: str, **fields: Any) -> bytes:
        told = {"type": kind, "sequence_number": self._events, **fields}
        self._events += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(told))

    def _place(self) -> dict[str, object]:
        return {"item_id": f"msg_{self._id}", "output_index": 0, "content_index": 0}

    def _whole_text(self) -> str:
        return "".join(" " + self._word(i) for i in range(self._asked.prompts[0].output_tokens))

    def _item(self, status: str) -> dict[str, object]:
        text = self._whole_text()
        head = {"id": f"msg_{self._id}", "type": "message", "role": "assistant", "status": status}
        return {**head, "content": [_part(text)]}

    def _ended(self) -> dict[str, object]:
        told = self._asked.usage()
        usage = {
            "input_tokens": told["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": told["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": told["total_tokens"],
        }
        cut = self._asked.prompts[0].finish_reason == "length"
        ended = self._response("incomplete" if cut else "completed", [self._item("completed")])
        why = {"reason": "max_output_tokens"} if cut else None
        return {**ended, "incomplete_details": why, "usage": usage}

    def _response(self, status: str, output: list[Any]) -> dict[str, object]:
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created_s,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": None,
            "model": self._asked.model,
            "output": output,
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": None,
        }


def _part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": None}
