"""The OpenAI SDK at the Responses API, at chats with tools, and at embeddings."""

from __future__ import annotations

from typing import Any

import openai

from tests.clients.asking.scenes import At, Heard, Scene, serve

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "boolean"}},
    "required": ["a"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "name": "f", "description": "a function", "parameters": SCHEMA}
FORCED = {"type": "function", "name": "f"}
ASKED = "one two three"
LONG = 2000
CALL = 120
"""Tokens that a call of the tool fits in."""


def sdk(at: At) -> Any:
    """Any: what is asked is chosen by name."""
    return openai.OpenAI(base_url=f"{at.url}/v1", api_key=at.key, max_retries=at.retries, timeout=60)


def respond(at: At, **fields: Any) -> Any:
    asked = {"model": at.model, "input": ASKED, "max_output_tokens": 5, "temperature": 0}
    return sdk(at).responses.create(**{**asked, "extra_body": at.extra, **fields})


def whole(at: At) -> Heard:
    answer = respond(at)
    return [answer.model_dump(mode="json"), answer.output_text]


def streamed(at: At, **fields: Any) -> Heard:
    return [event.model_dump(mode="json") for event in respond(at, stream=True, **fields)]


def several_turns(at: At) -> Heard:
    said = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    return [respond(at, instructions="be short", input=[*said, said[0]]).model_dump(mode="json")]


def tool_loop(at: At) -> Heard:
    """A call that is forced, its result, and the answer to that."""
    asking = [{"role": "user", "content": ASKED}]
    first = respond(at, input=asking, tools=[TOOL], tool_choice=FORCED, max_output_tokens=CALL)
    calls = [item for item in first.output if item.type == "function_call"]
    given = []
    for call in calls:
        name, arguments = call.name, call.arguments
        given.append({"type": "function_call", "call_id": call.call_id, "name": name, "arguments": arguments})
        given.append({"type": "function_call_output", "call_id": call.call_id, "output": "four"})
    second = respond(at, input=[*asking, *given], tools=[TOOL], tool_choice="none")
    return [len(calls), first.model_dump(mode="json"), second.model_dump(mode="json")]


def tool_streamed(at: At) -> Heard:
    return streamed(at, tools=[TOOL], tool_choice=FORCED, max_output_tokens=CALL)


def no_such_response(at: At) -> Heard:
    return [respond(at, previous_response_id="resp_nobody").model_dump(mode="json")]


def no_such_model(at: At) -> Heard:
    return [respond(at, model="nobody").model_dump(mode="json")]


def a_wrong_field(at: At) -> Heard:
    return [respond(at, temperature=-1).model_dump(mode="json")]


def cancelled(at: At) -> Heard:
    """Leaves after the first token."""
    heard = []
    with respond(at, stream=True, max_output_tokens=LONG, extra_body={"ignore_eos": True}) as events:
        for event in events:
            heard.append(event.type)
            if event.type.endswith(".delta"):
                break
    return heard


def chat_tool_loop(at: At) -> Heard:
    function = {"name": "f", "description": "a function", "parameters": SCHEMA}
    fields = {"model": at.model, "temperature": 0, "tools": [{"type": "function", "function": function}]}
    forced = {"type": "function", "function": {"name": "f"}}
    asking: list[Any] = [{"role": "user", "content": ASKED}]
    chats = sdk(at).chat.completions
    first = chats.create(**fields, messages=asking, tool_choice=forced, max_tokens=CALL)
    message = first.choices[0].message
    asking.append({"role": "assistant", "tool_calls": [call.model_dump() for call in message.tool_calls]})
    asking += [{"role": "tool", "tool_call_id": call.id, "content": "four"} for call in message.tool_calls]
    second = chats.create(**fields, messages=asking, tool_choice="none", max_tokens=5)
    return [first.model_dump(mode="json"), second.model_dump(mode="json")]


def embedded(at: At) -> Heard:
    asked = {"one": "one two", "several": ["one", "two three"], "ids": [5, 6, 7]}
    client = sdk(at)
    return [
        client.embeddings.create(model=at.model, input=given, encoding_format=form).model_dump(mode="json")
        for given in asked.values()
        for form in ("float", "base64")
    ]


SCENES: dict[str, Scene] = {
    "whole": whole,
    "stream": streamed,
    "several turns": several_turns,
    "tool loop": tool_loop,
    "tool, stream": tool_streamed,
    "chat, tool loop": chat_tool_loop,
    "previous_response_id": no_such_response,
    "unknown model": no_such_model,
    "a wrong field": a_wrong_field,
    "cancelled": cancelled,
    "embeddings": embedded,
}

if __name__ == "__main__":
    serve(SCENES)
