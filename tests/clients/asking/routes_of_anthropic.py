"""The Anthropic SDK at the Messages API."""

from __future__ import annotations

from typing import Any

import anthropic

from tests.clients.asking.scenes import At, Heard, Scene, serve

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "boolean"}},
    "required": ["a"],
    "additionalProperties": False,
}
TOOL = {"name": "f", "description": "a function", "input_schema": SCHEMA}
FORCED = {"type": "tool", "name": "f"}
ASKING = {"role": "user", "content": "one two three"}
LONG = 2000
CALL = 120
"""Tokens that a call of the tool fits in."""


def sdk(at: At) -> Any:
    """Any: what is asked is chosen by name."""
    return anthropic.Anthropic(base_url=at.url, api_key=at.key, max_retries=at.retries, timeout=60)


def send(at: At, **fields: Any) -> Any:
    extra = {"temperature": 0, **at.extra}
    asked = {"model": at.model, "messages": [ASKING], "max_tokens": 5, "extra_body": extra}
    return sdk(at).messages.create(**{**asked, **fields})


def whole(at: At) -> Heard:
    return [send(at).model_dump(mode="json")]


def streamed(at: At, **fields: Any) -> Heard:
    return [event.model_dump(mode="json") for event in send(at, stream=True, **fields)]


def helped(at: At) -> Heard:
    """The SDK's own helper, which puts the events together."""
    asked = {"model": at.model, "messages": [ASKING], "max_tokens": 5, "extra_body": {"temperature": 0}}
    with sdk(at).messages.stream(**asked) as events:
        text = "".join(events.text_stream)
        return [text, events.get_final_message().model_dump(mode="json")]


def several_turns(at: At) -> Heard:
    system = [{"type": "text", "text": "be short"}]
    said = [ASKING, {"role": "assistant", "content": [{"type": "text", "text": "four"}]}, ASKING]
    return [send(at, system=system, messages=said).model_dump(mode="json")]


def tool_loop(at: At) -> Heard:
    """A call that is forced, its result, and the answer to that."""
    first = send(at, tools=[TOOL], tool_choice=FORCED, max_tokens=CALL)
    calls = [block for block in first.content if block.type == "tool_use"]
    blocks = [block.model_dump(mode="json", exclude_none=True) for block in first.content]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "four"} for call in calls]
    turns = [ASKING, {"role": "assistant", "content": blocks}, {"role": "user", "content": results}]
    second = send(at, messages=turns, tools=[TOOL], tool_choice={"type": "none"})
    return [len(calls), first.model_dump(mode="json"), second.model_dump(mode="json")]


def tool_streamed(at: At) -> Heard:
    return streamed(at, tools=[TOOL], tool_choice=FORCED, max_tokens=CALL)


def counted(at: At) -> Heard:
    answer = sdk(at).messages.count_tokens(model=at.model, messages=[ASKING], tools=[TOOL])
    return [answer.model_dump(mode="json")]


def no_such_model(at: At) -> Heard:
    return [send(at, model="nobody").model_dump(mode="json")]


def a_wrong_field(at: At) -> Heard:
    return [send(at, extra_body={"temperature": -1}).model_dump(mode="json")]


def cancelled(at: At) -> Heard:
    """Leaves after the first token."""
    heard = []
    with send(at, stream=True, max_tokens=LONG, extra_body={"temperature": 0}) as events:
        for event in events:
            heard.append(event.type)
            if event.type == "content_block_delta":
                break
    return heard


SCENES: dict[str, Scene] = {
    "whole": whole,
    "stream": streamed,
    "stream helper": helped,
    "several turns": several_turns,
    "tool loop": tool_loop,
    "tool, stream": tool_streamed,
    "count_tokens": counted,
    "unknown model": no_such_model,
    "a wrong field": a_wrong_field,
    "cancelled": cancelled,
}

if __name__ == "__main__":
    serve(SCENES)
