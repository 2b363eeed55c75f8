"""What is asked of an engine with and without the gateway before it, to see what the gateway changes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
JSON = "application/json"
SCHEMA = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
DRAWN = {"temperature": 0.7, "seed": 5}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]


@dataclass(frozen=True, slots=True)
class Check:
    """One request. name: of the row; body: None for none; headers: beside host and content-length.

    chunked: the body is sent in pieces without a length; version: of HTTP.
    """

    name: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    chunked: bool = False
    version: str = "HTTP/1.1"


def checks(model: str) -> tuple[Check, ...]:
    """Every check, for the model that the engine serves."""
    apis = (*_responses(model), *_messages(model), *_counts(model))
    return (*_chats(model), *_texts(model), *_refused(model), *_bodies(model), *_routes(model), *apis)


def _chats(model: str) -> Iterator[Check]:
    last = {"stream_options": {"include_usage": True}}
    each = {"stream_options": {"include_usage": True, "continuous_usage_stats": True}}
    two_turns = [{"role": role, "content": "one two"} for role in ("system", "user", "assistant", "user")]
    asked: dict[str, dict[str, Any]] = {
        "chat": {},
        "chat, max_completion_tokens": {"max_tokens": None, "max_completion_tokens": 3},
        "chat, several turns": {"messages": two_turns},
        "chat, beyond ASCII": {"messages": [{"role": "user", "content": "Grüße – 你好 🙂"}]},
        "chat, n=2": {"n": 2, **DRAWN},
        "chat, logprobs": {"logprobs": True, "top_logprobs": 2},
        "chat, stop": {"stop": ["a"]},
        "chat, min_tokens and ignore_eos": {"min_tokens": 3, "ignore_eos": True},
        "chat, token ids": {"return_token_ids": True},
        "chat, JSON object": {"response_format": {"type": "json_object"}, "max_tokens": 8},
        "chat, JSON schema": {
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}},
            "max_tokens": 8,
        },
        "chat, tools not to be used": {"tools": TOOLS, "tool_choice": "none"},
        "chat, a tool to be used": {
            "tools": TOOLS,
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "max_tokens": 12,
        },
        "chat, tools that may be used": {"tools": TOOLS},
        "chat, model left out": {"model": None},
        "chat, fields nobody knows": {"x_mine": {"a": 1}, "user": "u"},
        "stream": {"stream": True},
        "stream, usage at the end": {"stream": True, **last},
        "stream, usage in each chunk": {"stream": True, **each},
        "stream, no usage": {"stream": True, "stream_options": {"include_usage": False}},
        "stream, n=2": {"stream": True, "n": 2, "max_tokens": 1, **DRAWN},
        "stream, logprobs": {"stream": True, "logprobs": True, "top_logprobs": 1},
        "stream, a tool to be used": {
            "tools": TOOLS,
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "max_tokens": 12,
            "stream": True,
        },
        "stream, asked for as a text": {"stream": "true"},
    }
    for name, fields in asked.items():
        yield _post(name, CHAT, _chat(model, fields))
    yield _post("chat, own request id", CHAT, _chat(model), **{"x-request-id": "mine-1"})
    yield _post("chat, query behind the path", f"{CHAT}?api-version=2026-01-01", _chat(model))
    yield _post("chat, page of another origin", CHAT, _chat(model), origin="https://app.example")
    yield Check("stream, HTTP/1.0", "POST", CHAT, _json(), _chat(model, {"stream": True}), version="HTTP/1.0")


def _texts(model: str) -> Iterator[Check]:
    last = {"stream_options": {"include_usage": True}}
    asked: dict[str, dict[str, Any]] = {
        "completion": {},
        "completion, list of prompts": {"prompt": ["one", "two"]},
        "completion, token ids": {"prompt": [5, 6, 7]},
        "completion, lists of token ids": {"prompt": [[5, 6], [7]]},
        "completion, n=2": {"n": 2, **DRAWN},
        "completion, echo and logprobs": {"echo": True, "logprobs": 1},
        "completion, stream": {"stream": True},
        "completion, stream, list of prompts": {"stream": True, "prompt": ["one", "two"], "max_tokens": 1},
        "completion, stream, usage at the end": {"stream": True, **last},
        "completion, no prompt": {"prompt": None},
        "completion, empty list": {"prompt": []},
    }
    for name, fields in asked.items():
        yield _post(name, TEXT, _text(model, fields))


def _refused(model: str) -> Iterator[Check]:
    asked: dict[str, dict[str, Any]] = {
        "unknown model": {"model": "nobody"},
        "unknown model, stream": {"model": "nobody", "stream": True},
        "messages left out": {"messages": None},
        "messages empty": {"messages": []},
        "messages not a list": {"messages": "hi"},
        "tools of an unknown type": {"tools": [{"type": "magic"}]},
        "max_tokens 0": {"max_tokens": 0},
        "max_tokens beyond the context": {"max_tokens": 100_000},
        "prompt beyond the context": {"messages": [{"role": "user", "content": "one two " * 3000}]},
        "temperature below 0": {"temperature": -1},
        "n=0": {"n": 0},
        "n not a number": {"n": "many"},
        "n above MAX_CHOICES": {"n": 1000, **DRAWN},
        "stream_options without stream": {"stream_options": {"include_usage": True}},
        "stream_options not an object": {"stream": True, "stream_options": "yes"},
        "bad JSON schema": {"response_format": {"type": "json_schema"}},
        "stream, bad top_logprobs": {"stream": True, "logprobs": True, "top_logprobs": 1000},
    }
    for name, fields in asked.items():
        yield _post(name, CHAT, _chat(model, fields))


def _bodies(model: str) -> Iterator[Check]:
    whole = _chat(model)
    for kind in ("application/json; charset=utf-8", "Application/JSON", "text/plain", "multipart/form-data"):
        yield Check(f"content type {kind}", "POST", CHAT, {"content-type": kind}, whole)
    yield Check("content type left out", "POST", CHAT, {}, whole)
    yield Check("content type of vendors", "POST", CHAT, {"content-type": "application/vnd.api+json"}, whole)
    bodies = {
        "no JSON": b'{"model": ',
        "empty": b"",
        "JSON list": b"[]",
        "JSON null": b"null",
        "JSON with NaN": whole[:-1] + b',"temperature":NaN}',
        "half of a surrogate pair": whole[:-1] + b',"user":"\\ud800"}',
        "a field twice": b'{"model":"nobody",' + whole[1:],
        "UTF-16": whole.decode().encode("utf-16"),
        "byte order mark": b"\xef\xbb\xbf" + whole,
        "not UTF-8": whole[:-1] + b',"user":"\xe9"}',
        "nested 300 deep": whole[:-1] + b',"x":' + b"[" * 300 + b"]" * 300 + b"}",
    }
    for name, body in bodies.items():
        yield Check(f"body: {name}", "POST", CHAT, _json(), body)
    yield Check(
        "body: compressed", "POST", CHAT, {**_json(), "content-encoding": "gzip"}, gzip.compress(whole)
    )
    yield Check("body: in chunks", "POST", CHAT, _json(), whole, chunked=True)
    yield Check("body: after 100-continue", "POST", CHAT, {**_json(), "expect": "100-continue"}, whole)


def _routes(model: str) -> Iterator[Check]:
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
        yield Check(f"{method} of chat", method, CHAT)
    for method in ("GET", "HEAD", "POST"):
        yield Check(f"{method} of models", method, "/v1/models")
    paths = ("/health", "/metrics", "/version", "/ping", "/", "/nothing", "/docs", "/openapi.json")
    for path in (f"/v1/models/{model}", "/v1/models/nobody", *paths):
        yield Check(f"GET {path.replace(model, 'MODEL')}", "GET", path)
    yield _post("POST /v1/chat/completions/", f"{CHAT}/", _chat(model))
    yield _post("POST //v1/chat/completions", f"/{CHAT}", _chat(model))
    for path in ("/v1/embeddings", "/v1/rerank", "/score", "/pooling", "/v1/audio/speech"):
        yield _post(f"POST {path}", path, _dump({"model": model, "input": "one"}))


def _responses(model: str) -> Iterator[Check]:
    turns = [{"role": "user", "content": [{"type": "input_text", "text": "one"}]}]
    asked: dict[str, dict[str, Any]] = {
        "responses": {},
        "responses, several turns": {"input": [*turns, {"role": "assistant", "content": "two"}, *turns]},
        "responses, instructions and seed": {"instructions": "be short", "temperature": 0.7, "seed": 5},
        "responses, JSON schema": {
            "text": {"format": {"type": "json_schema", "name": "s", "schema": SCHEMA, "strict": True}},
            "max_output_tokens": 8,
        },
        "responses, log probabilities": {
            "include": ["message.output_text.logprobs"],
            "top_logprobs": 1,
        },
        "responses, stream": {"stream": True},
        "responses, stream, log probabilities": {
            "stream": True,
            "include": ["message.output_text.logprobs"],
            "top_logprobs": 1,
        },
        "responses, model left out": {"model": None},
        "responses, fields nobody knows": {"x_mine": {"a": 1}},
        "responses, previous_response_id": {"previous_response_id": "resp_nobody"},
        "responses, unknown model": {"model": "nobody"},
        "responses, no input": {"input": None},
        "responses, temperature below 0": {"temperature": -1},
        "responses, in the background": {"background": True},
    }
    usual = {"model": model, "input": "one two", "max_output_tokens": 3, "temperature": 0}
    for name, fields in asked.items():
        yield _post(name, "/v1/responses", _dump({**usual, **fields}))
    yield _post("responses: no JSON", "/v1/responses", b'{"model": ')
    yield Check("GET of responses", "GET", "/v1/responses")


def _messages(model: str) -> Iterator[Check]:
    text = [{"type": "text", "text": "one"}]
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
    asked: dict[str, dict[str, Any]] = {
        "messages": {},
        "messages, several turns": {"messages": [*turns, turns[0]], "system": text},
        "messages, stop": {"stop_sequences": ["a"]},
        "messages, tools that may be used": {"tools": [{"name": "f", "input_schema": SCHEMA}]},
        "messages, stream": {"stream": True},
        "messages, stream, stop": {"stream": True, "stop_sequences": ["a"]},
        "messages, unknown model": {"model": "nobody"},
        "messages, no model": {"model": None},
        "messages, no max_tokens": {"max_tokens": None},
        "messages, none": {"messages": []},
        "messages, temperature below 0": {"temperature": -1},
    }
    usual = {"model": model, "messages": turns[:1], "max_tokens": 3, "temperature": 0}
    for name, fields in asked.items():
        yield _post(name, "/v1/messages", _dump({**usual, **fields}))
    yield _post("messages, as the SDK's beta asks", "/v1/messages?beta=true", _dump(usual))
    yield _post("messages: no JSON", "/v1/messages", b'{"model": ')
    yield Check("GET of messages", "GET", "/v1/messages")
    count = {"model": model, "messages": turns[:1]}
    yield _post("count_tokens", "/v1/messages/count_tokens", _dump(count))
    yield _post("count_tokens, no messages", "/v1/messages/count_tokens", _dump({"model": model}))


def _counts(model: str) -> Iterator[Check]:
    chat = [{"role": "user", "content": "one two"}]
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "tokenize": ("/tokenize", {"prompt": "one two"}),
        "tokenize, a chat": ("/tokenize", {"messages": chat}),
        "tokenize, with the tokens' texts": ("/tokenize", {"prompt": "one", "return_token_strs": True}),
        "tokenize, nothing": ("/tokenize", {}),
        "detokenize": ("/detokenize", {"tokens": [50, 60]}),
        "detokenize, nothing": ("/detokenize", {}),
    }
    for name, (path, fields) in asked.items():
        yield _post(name, path, _dump({"model": model, **fields}))


def _post(name: str, path: str, body: bytes, **headers: str) -> Check:
    return Check(name, "POST", path, {**_json(), **headers}, body)


def _json() -> dict[str, str]:
    return {"content-type": JSON}


def _chat(model: str, changed: Mapping[str, Any] = MappingProxyType({})) -> bytes:
    fields = {"model": model, "messages": [{"role": "user", "content": "one two"}], "max_tokens": 3}
    return _dump({**fields, "temperature": 0, **changed})


def _text(model: str, changed: Mapping[str, Any]) -> bytes:
    return _dump({"model": model, "prompt": "one two", "max_tokens": 3, "temperature": 0, **changed})


def _dump(fields: dict[str, Any]) -> bytes:
    return json.dumps({key: value for key, value in fields.items() if value is not None}).encode()
