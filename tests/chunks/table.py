"""Streams as engines send them, and the right reading of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

DONE = b"data: [DONE]\n\n"


class End(StrEnum):
    """How an answer ends, whatever the reader calls it."""

    COMPLETE = "complete"
    CUT = "cut"
    ENGINE_ERROR = "engine error"
    REFUSED = "refused"
    OVERLOADED = "overloaded"


@dataclass(frozen=True, slots=True)
class Row:
    """The pieces of one answer's body, one arrival each, and what they say.

    first, visible: index of the piece with the first token, and with the first that is not reasoning; None
    where none comes. chunks: pieces with content. tokens, prompt_tokens: as reported, None where they are
    not. n: choices that were asked for. kept: what a client of the gateway gets, where that is not all of it.
    """

    name: str
    pieces: tuple[bytes, ...]
    first: int | None
    visible: int | None
    chunks: int
    tokens: int | None
    end: End = End.COMPLETE
    finish_reason: str | None = "stop"
    code: str | None = None
    prompt_tokens: int | None = None
    n: int = 1
    kept: bytes | None = None


def data(value: object) -> bytes:
    """One event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(
    finish_reason: object = None, *, index: int = 0, more: dict[str, Any] | None = None, **fields: object
) -> bytes:
    """One chunk of one choice."""
    choice = {"index": index, "delta": fields, "logprobs": None, "finish_reason": finish_reason}
    return data(
        {
            "id": "c",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [choice],
            **(more or {}),
        }
    )


def usage(prompt: object, output: object) -> dict[str, Any]:
    """The field `usage`."""
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": 0}}


def choices(value: object, **more: object) -> bytes:
    """A chunk whose `choices` is anything."""
    return data({"object": "chat.completion.chunk", "choices": value, **more})


ROLE = delta(role="assistant", content="")
A, B = delta(content="a"), delta(content="b")
STOP = delta("stop", content="")
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
ARGUMENTS = {"index": 0, "function": {"arguments": "{}"}}
LAST_USAGE = choices([], **usage(3, 2))

ENGINES = (
    Row("vLLM", (ROLE, A, B, STOP, LAST_USAGE, DONE), 1, 1, 2, 2, prompt_tokens=3),
    Row(
        "vLLM, reasoning",
        (ROLE, delta(reasoning="hm"), delta(reasoning="so"), A, STOP, LAST_USAGE, DONE),
        1,
        3,
        3,
        2,
        prompt_tokens=3,
    ),
    Row(
        "vLLM before 0.11, reasoning_content",
        (
            ROLE,
            delta(reasoning_content="hm", content=None),
            delta(reasoning_content=None, content="a"),
            STOP,
            DONE,
        ),
        1,
        2,
        2,
        None,
    ),
    Row(
        "vLLM, nothing but reasoning",
        (ROLE, delta(reasoning="hm"), delta("length", reasoning="so"), DONE),
        1,
        None,
        2,
        None,
        finish_reason="length",
    ),
    Row(
        "SGLang",
        (
            delta(role="assistant", content="", reasoning_content=None, tool_calls=None),
            delta(content="a", reasoning_content=None, tool_calls=None, more={"usage": None}),
            delta("stop", content=None, more={"usage": None}),
            LAST_USAGE,
            DONE,
        ),
        1,
        1,
        1,
        2,
        prompt_tokens=3,
    ),
    Row(
        "SGLang, abort",
        (ROLE, A, delta({"type": "abort", "message": "gone"}), DONE),
        1,
        1,
        1,
        None,
        End.ENGINE_ERROR,
        finish_reason="abort",
    ),
    Row(
        "TGI",
        (
            delta(role="assistant", content="a"),
            delta("eos_token", role="assistant", content="b"),
            choices([], **usage(3, 2)),
            b"data: [DONE]\n\n",
        ),
        0,
        0,
        2,
        2,
        finish_reason="eos_token",
        prompt_tokens=3,
    ),
    Row(
        "TGI, error",
        (data({"error": "Request failed", "error_type": "generation"}),),
        None,
        None,
        0,
        None,
        End.ENGINE_ERROR,
        finish_reason=None,
    ),
    Row(
        "TGI, event error",
        (A, b'event: error\ndata: {"error":"out of memory","error_type":"generation"}\n\n'),
        0,
        0,
        1,
        None,
        End.ENGINE_ERROR,
        finish_reason=None,
    ),
    Row(
        "llama.cpp",
        (
            delta(role="assistant", content=None),
            A,
            B,
            data(
                {
                    "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
                    **usage(3, 2),
                    "timings": {"predicted_n": 2},
                }
            ),
            DONE,
        ),
        1,
        1,
        2,
        2,
        prompt_tokens=3,
    ),
    Row(
        "llama.cpp, error line",
        (A, b'error: {"code":500,"message":"slot lost","type":"server_error"}\n\n'),
        0,
        0,
        1,
        None,
        End.ENGINE_ERROR,
        finish_reason=None,
        code="500",
    ),
    Row("LM Studio", (delta(role="assistant", content="a"), B, delta("stop"), DONE), 0, 0, 2, None),
    Row(
        "LM Studio, empty finish reason",
        (delta("", content="a"), delta("", content="b"), delta("stop"), DONE),
        0,
        0,
        2,
        None,
    ),
    Row(
        "LM Studio, event error",
        (A, b'event: error\ndata: {"error":{"message":"unloaded"}}\n\n'),
        0,
        0,
        1,
        None,
        End.ENGINE_ERROR,
        finish_reason=None,
    ),
    Row(
        "Ollama",
        (delta(role="assistant", content="a"), delta("stop", role="assistant", content=""), DONE),
        0,
        0,
        1,
        None,
    ),
    Row(
        "Ollama, thinking",
        (delta(role="assistant", content="", reasoning="hm"), A, STOP, DONE),
        0,
        1,
        2,
        None,
    ),
    Row(
        "LiteLLM",
        (
            delta(role="assistant", content="a", provider_specific_fields=None),
            B,
            delta("stop"),
            choices([{"index": 0, "delta": {}}], **usage(3, 2)),
            DONE,
        ),
        0,
        0,
        2,
        2,
        prompt_tokens=3,
    ),
    Row(
        "LiteLLM, error",
        (A, data({"error": {"message": "upstream", "type": "None", "param": "None", "code": "500"}})),
        0,
        0,
        1,
        None,
        End.ENGINE_ERROR,
        finish_reason=None,
        code="500",
    ),
    Row(
        "OpenAI",
        (
            delta(role="assistant", content="", refusal=None, more={"usage": None}),
            delta(content="a", more={"usage": None}),
            delta("stop", more={"usage": None}),
            LAST_USAGE,
            DONE,
        ),
        1,
        1,
        1,
        2,
        prompt_tokens=3,
    ),
    Row(
        "Azure, filter results first",
        (choices([], prompt_filter_results=[{}]), ROLE, A, STOP, DONE),
        2,
        2,
        1,
        None,
    ),
    Row(
        "DashScope, finish reason null as a word",
        (delta("null", content="a"), delta("stop"), DONE),
        0,
        0,
        1,
        None,
    ),
    Row(
        "Mistral, content in parts",
        (
            delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]),
            delta(content=[{"type": "text", "text": "a"}]),
            STOP,
            DONE,
        ),
        0,
        1,
        2,
        None,
    ),
    Row(
        "completions",
        (
            choices([{"index": 0, "text": ""}]),
            choices([{"index": 0, "text": "a"}]),
            choices([{"index": 0, "text": "", "finish_reason": "stop"}]),
            DONE,
        ),
        1,
        1,
        1,
        None,
    ),
)

CONTENT = (
    Row(
        "tool calls",
        (
            delta(role="assistant", content=None),
            delta(tool_calls=[CALL]),
            delta(tool_calls=[ARGUMENTS]),
            delta("tool_calls"),
            DONE,
        ),
        1,
        1,
        2,
        None,
        finish_reason="tool_calls",
    ),
    Row(
        "no tool calls",
        (delta(tool_calls=[], content=""), delta(tool_calls=[None]), A, STOP, DONE),
        2,
        2,
        1,
        None,
    ),
    Row(
        "function call",
        (delta(function_call={"name": "f", "arguments": ""}), delta("function_call"), DONE),
        0,
        0,
        1,
        None,
        finish_reason="function_call",
    ),
    Row("refusal", (ROLE, delta(refusal="I cannot"), STOP, DONE), 1, 1, 1, None),
    Row(
        "several tokens a chunk",
        (ROLE, delta(content="a b c d"), STOP, choices([], **usage(3, 4)), DONE),
        1,
        1,
        1,
        4,
        prompt_tokens=3,
    ),
    Row(
        "two choices",
        (
            delta(index=1, content="a"),
            A,
            delta("stop", index=0),
            delta(index=1, content="b"),
            delta("stop", index=1),
            LAST_USAGE,
            DONE,
        ),
        0,
        0,
        3,
        2,
        prompt_tokens=3,
        n=2,
    ),
    Row(
        "two choices in one chunk",
        (
            choices(
                [
                    {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"},
                    {"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"},
                ]
            ),
            DONE,
        ),
        0,
        0,
        1,
        None,
        n=2,
    ),
    Row(
        "two choices, one never ends",
        (A, delta(index=1, content="a"), delta("stop", index=0)),
        0,
        0,
        2,
        None,
        End.CUT,
        n=2,
    ),
    Row(
        "no content at all", (ROLE, STOP, choices([], **usage(3, 0)), DONE), None, None, 0, 0, prompt_tokens=3
    ),
    Row("content with the finish reason", (ROLE, delta("stop", content="a"), DONE), 1, 1, 1, None),
)

WIRE = (
    Row("empty data", (b"data:\n\n", b"data: \n\n", A, b"data\n\n", STOP, DONE), 2, 2, 1, None),
    Row("comments", (b": ping\n\n", A, b": ping\n\n", b":\n\n", STOP, DONE), 1, 1, 1, None),
    Row("named events", (b"event: message\n" + A, b"id: 7\n" + STOP, DONE), 0, 0, 1, None),
    Row(
        "CRLF",
        tuple(piece.replace(b"\n", b"\r\n") for piece in (ROLE, A, STOP, LAST_USAGE, DONE)),
        1,
        1,
        1,
        2,
        prompt_tokens=3,
    ),
    # The last CR of an event may be half of CRLF, so a reader may wait for the next bytes; all in one piece.
    Row(
        "CR",
        (b"".join((ROLE, A, STOP, LAST_USAGE, DONE)).replace(b"\n", b"\r"),),
        0,
        0,
        1,
        2,
        prompt_tokens=3,
    ),
    Row("BOM", (b"\xef\xbb\xbf" + A, STOP, DONE), 0, 0, 1, None),
    Row(
        "no space behind the colon", (A.replace(b"data: ", b"data:"), STOP, b"data:[DONE]\n\n"), 0, 0, 1, None
    ),
    Row("[DONE] with spaces", (A, b"data:  [DONE] \n\n"), 0, 0, 1, None, finish_reason=None),
    Row("[DONE] without an empty line", (A, STOP, b"data: [DONE]"), 0, 0, 1, None, kept=A + STOP + DONE),
    Row("no [DONE]", (ROLE, A, STOP), 1, 1, 1, None),
    Row("no [DONE], usage behind the end", (A, STOP, LAST_USAGE), 0, 0, 1, 2, prompt_tokens=3),
    Row("neither [DONE] nor a finish reason", (ROLE, A), 1, 1, 1, None, End.CUT, finish_reason=None),
    Row("torn event", (A, B[:30]), 0, 0, 1, None, End.CUT, finish_reason=None, kept=A),
    Row("nothing", (), None, None, 0, None, End.CUT, finish_reason=None),
    Row(
        "data after [DONE]",
        (A, STOP, DONE, B, choices([], **usage(3, 99))),
        0,
        0,
        1,
        None,
        kept=A + STOP + DONE,
    ),
    Row("data after [DONE] in its piece", (A, STOP, DONE + B), 0, 0, 1, None, kept=A + STOP + DONE),
    Row("error after [DONE]", (A, STOP, DONE + data({"error": "late"})), 0, 0, 1, None, kept=A + STOP + DONE),
    Row("several events a piece", (ROLE + A + B, STOP + LAST_USAGE + DONE), 0, 0, 2, 2, prompt_tokens=3),
    Row("an event in pieces", (A[:20], A[20:], STOP, DONE), 1, 1, 1, None),
    Row(
        "not JSON", (A, b"data: {broken\n\n", STOP, DONE), 0, 0, 1, None, End.ENGINE_ERROR, finish_reason=None
    ),
    Row(
        "not an object",
        (A, b"data: [1, 2]\n\n", STOP, DONE),
        0,
        0,
        1,
        None,
        End.ENGINE_ERROR,
        finish_reason=None,
    ),
)

USAGE = (
    Row("usage never", (A, STOP, DONE), 0, 0, 1, None),
    Row(
        "usage with the finish reason",
        (A, delta("stop", more=usage(3, 1)), DONE),
        0,
        0,
        1,
        1,
        prompt_tokens=3,
    ),
    Row(
        "running totals",
        (
            delta(content="a", more=usage(3, 1)),
            delta(content="b", more=usage(3, 2)),
            delta("stop", more=usage(3, 2)),
            choices([], **usage(3, 2)),
            DONE,
        ),
        0,
        0,
        2,
        2,
        prompt_tokens=3,
    ),
    Row(
        "running totals without a last one",
        (delta(content="a", more=usage(3, 1)), delta("stop", content="b", more=usage(3, 2)), DONE),
        0,
        0,
        2,
        2,
        prompt_tokens=3,
    ),
    Row(
        "running totals of a cut stream",
        (delta(content="a", more=usage(3, 1)), delta(content="b", more=usage(3, 2))),
        0,
        0,
        2,
        2,
        End.CUT,
        finish_reason=None,
        prompt_tokens=3,
    ),
    Row(
        "usage null at the end",
        (delta(content="a", more=usage(3, 1)), delta("stop", more={"usage": None}), DONE),
        0,
        0,
        1,
        1,
        prompt_tokens=3,
    ),
    Row("floats", (A, STOP, choices([], **usage(3.0, 2.0)), DONE), 0, 0, 1, 2, prompt_tokens=3),
    Row(
        "no counts",
        (
            A,
            STOP,
            choices([], **usage(None, "2")),
            choices([], **usage(-1, 2.5)),
            choices([], **usage(True, [2])),
            choices([], usage=7),
            choices([], usage={}),
            DONE,
        ),
        0,
        0,
        1,
        None,
    ),
    Row("only the output", (A, STOP, choices([], usage={"completion_tokens": 2}), DONE), 0, 0, 1, 2),
)

ODD = (
    Row(
        "odd choices",
        (
            choices(None),
            choices("text"),
            choices(5),
            choices([None]),
            choices([[], "a", 3]),
            choices({"delta": {"content": "a"}}),
            data({}),
            A,
            STOP,
            DONE,
        ),
        7,
        7,
        1,
        None,
    ),
    Row(
        "odd deltas",
        (
            choices([{"delta": None}]),
            choices([{"delta": "text"}]),
            choices([{"delta": 5}]),
            choices([{"delta": [None]}]),
            choices([{}]),
            A,
            STOP,
            DONE,
        ),
        5,
        5,
        1,
        None,
    ),
    Row(
        "odd content",
        (
            delta(content=None),
            delta(content=5),
            delta(content=True),
            delta(content=[]),
            delta(content={}),
            A,
            STOP,
            DONE,
        ),
        5,
        5,
        1,
        None,
    ),
    Row(
        "odd finish reasons",
        (delta(5, content="a"), delta([], content="b"), delta({}), STOP, DONE),
        0,
        0,
        2,
        None,
    ),
    Row(
        "odd index",
        (
            choices([{"index": None, "delta": {"content": "a"}}]),
            choices([{"index": [1], "delta": {}, "finish_reason": "stop"}]),
        ),
        0,
        0,
        1,
        None,
    ),
    Row(
        "error that is none",
        (data({"error": None, "choices": []}), data({"error": {}}), A, STOP, DONE),
        2,
        2,
        1,
        None,
    ),
)

_ERROR = {"message": "out of memory", "type": "InternalServerError", "param": None, "code": 500}
ERRORS = (
    Row(
        "error object", (ROLE, A, data({"error": _ERROR}), DONE), 1, 1, 1, None, End.ENGINE_ERROR, None, "500"
    ),
    Row(
        "error text", (ROLE, A, data({"error": "out of memory"}), DONE), 1, 1, 1, None, End.ENGINE_ERROR, None
    ),
    Row(
        "object error",
        (ROLE, A, data({"object": "error", **_ERROR}), DONE),
        1,
        1,
        1,
        None,
        End.ENGINE_ERROR,
        None,
        "500",
    ),
    Row(
        "type error",
        (ROLE, A, data({"type": "error", "error": {"type": "overloaded_error", "message": "full"}})),
        1,
        1,
        1,
        None,
        End.ENGINE_ERROR,
        None,
    ),
    Row(
        "event error, text",
        (ROLE, A, b"event: error\ndata: out of memory\n\n"),
        1,
        1,
        1,
        None,
        End.ENGINE_ERROR,
        None,
    ),
    Row(
        "event error, object",
        (ROLE, A, b'event: error\r\ndata: {"code": 500, "message": "gone"}\r\n\r\n'),
        1,
        1,
        1,
        None,
        End.ENGINE_ERROR,
        None,
        "500",
    ),
    Row(
        "error and choices",
        (ROLE, A, choices([], error=_ERROR), STOP, DONE),
        1,
        1,
        1,
        None,
        End.ENGINE_ERROR,
        code="500",
    ),
    Row(
        "error behind the end",
        (A, STOP, data({"error": _ERROR}), DONE),
        0,
        0,
        1,
        None,
        End.ENGINE_ERROR,
        code="500",
    ),
    Row("error first", (data({"error": _ERROR}), DONE), None, None, 0, None, End.ENGINE_ERROR, None, "500"),
    Row(
        "400 first",
        (data({"error": {**_ERROR, "code": 400}}), DONE),
        None,
        None,
        0,
        None,
        End.REFUSED,
        None,
        "400",
    ),
    Row(
        "400 first, object error",
        (data({"object": "error", "message": "no", "code": "400"}),),
        None,
        None,
        0,
        None,
        End.REFUSED,
        None,
        "400",
    ),
    Row(
        "503 first",
        (data({"error": {**_ERROR, "code": 503}}),),
        None,
        None,
        0,
        None,
        End.OVERLOADED,
        None,
        "503",
    ),
    Row(
        "429 first",
        (data({"error": {"message": None, "code": 429}}),),
        None,
        None,
        0,
        None,
        End.OVERLOADED,
        None,
        "429",
    ),
    Row(
        "400 later",
        (ROLE, A, data({"error": {**_ERROR, "code": 400}})),
        1,
        1,
        1,
        None,
        End.ENGINE_ERROR,
        None,
        "400",
    ),
    Row(
        "abort",
        (ROLE, A, delta("abort", content=""), LAST_USAGE, DONE),
        1,
        1,
        1,
        2,
        End.ENGINE_ERROR,
        "abort",
        prompt_tokens=3,
    ),
    Row("abort before a token", (ROLE, delta("abort"), DONE), None, None, 0, None, End.ENGINE_ERROR, "abort"),
    Row("finish reason error", (ROLE, A, delta("error"), DONE), 1, 1, 1, None, End.ENGINE_ERROR, "error"),
    Row(
        "one of two choices aborts",
        (A, delta("abort", index=1), STOP, DONE),
        0,
        0,
        1,
        None,
        End.ENGINE_ERROR,
        "abort",
        n=2,
    ),
)

ROWS = (*ENGINES, *CONTENT, *WIRE, *USAGE, *ODD, *ERRORS)
