"""What vLLM answers to odd requests: the table of tests/data/vllm_answers.json, and how engines are asked.

`python -m tests.experiments.twin.vllm_answers URL` asks a running vLLM and writes the table anew.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

TABLE = Path(__file__).parents[2] / "data" / "vllm_answers.json"
CONTEXT_TOKENS = 4096
CHAT, TEXT = "POST /v1/chat/completions", "POST /v1/completions"
_SHOWN = 400
_USER = [{"role": "user", "content": "one two three four five"}]
_PLAIN: dict[str, Any] = {"model": "MODEL", "max_tokens": 4, "temperature": 0, "ignore_eos": True}


@dataclass(frozen=True, slots=True)
class Row:
    """A request. `body`: JSON, or raw text; MODEL in it is the one that is served, WORDS:N so many words."""

    name: str
    route: str
    body: Any


def chat(name: str, *without: str, **more: Any) -> Row:
    body = {**_PLAIN, "messages": _USER, **more}
    return Row(f"chat {name}", CHAT, {key: value for key, value in body.items() if key not in without})


def text(name: str, *without: str, **more: Any) -> Row:
    body = {**_PLAIN, "prompt": "one two three four five", **more}
    return Row(f"text {name}", TEXT, {key: value for key, value in body.items() if key not in without})


def said(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


USAGE = {"include_usage": True}
EACH = {"include_usage": True, "continuous_usage_stats": True}
ROWS = (
    chat("plain"),
    chat("max_tokens 0", max_tokens=0),
    chat("max_tokens below 0", max_tokens=-1),
    chat("max_tokens as text", max_tokens="7"),
    chat("max_tokens no number", max_tokens="many"),
    chat("max_tokens with a fraction", max_tokens=2.5),
    chat("max_tokens 3.0", max_tokens=3.0),
    chat("max_tokens true", max_tokens=True),
    chat("max_tokens null, max_completion_tokens", max_tokens=None, max_completion_tokens=3),
    chat("max_completion_tokens 0", max_completion_tokens=0),
    chat("max_completion_tokens goes first", max_tokens=9, max_completion_tokens=3),
    chat("max_tokens beyond the context", max_tokens=5000),
    chat("prompt beyond the context", messages=said("WORDS:4200")),
    chat("prompt beyond the context, no max_tokens", "max_tokens", messages=said("WORDS:4200")),
    chat("prompt and answer beyond the context", messages=said("WORDS:4081"), max_tokens=200),
    chat("min_tokens above max_tokens", min_tokens=9),
    chat("min_tokens below 0", min_tokens=-1),
    chat("min_tokens null", min_tokens=None, ignore_eos=None),
    chat("another model", model="other"),
    chat("another model, all else wrong too", model="other", max_tokens=0, n=0, temperature=-1),
    chat("model empty", model=""),
    chat("no model", "model"),
    chat("model a number", model=5),
    chat("no messages", "messages"),
    chat("messages empty", messages=[]),
    chat("messages null", messages=None),
    chat("messages a text", messages="hi"),
    chat("a message without role", messages=[{"content": "a"}]),
    chat("a message without content", messages=[{"role": "user"}]),
    chat("content null", messages=said(None)),
    chat("content a number", messages=said(5)),
    chat("content in parts", messages=said([{"type": "text", "text": "one two"}])),
    chat("unknown role", messages=[{"role": "pope", "content": "hi there"}]),
    chat("n 2 while greedy", n=2),
    chat("n 2", n=2, temperature=1),
    chat("n 0", n=0),
    chat("n null", n=None),
    chat("n no number", n="x"),
    chat("stream", stream=True),
    chat("stream with usage", stream=True, stream_options=USAGE),
    chat("stream with usage in each chunk", stream=True, stream_options=EACH),
    chat("stream with each chunk's only", stream=True, stream_options={"continuous_usage_stats": True}),
    chat("stream of two", stream=True, n=2, temperature=1, stream_options=USAGE),
    chat("stream as text", stream="true"),
    chat("stream a number", stream=2),
    chat("stream_options without a stream", stream_options=USAGE),
    chat("stream_options empty without a stream", stream_options={}),
    chat("stream_options a text", stream=True, stream_options="x"),
    chat("top_logprobs alone", top_logprobs=2),
    chat("top_logprobs below -1", logprobs=True, top_logprobs=-5),
    chat("stop", stop=["zzzz"]),
    chat("stop empty", stop=""),
    chat("stop a number", stop=5),
    chat("temperature below 0", temperature=-1),
    chat("temperature above 2", temperature=3.0),
    chat("temperature no number", temperature="hot"),
    chat("top_p 0", top_p=0),
    chat("penalty too large", presence_penalty=9),
    chat("ignore_eos no boolean", ignore_eos="maybe"),
    chat("unknown field", foo=1),
    Row("chat body a list", CHAT, [1]),
    Row("chat body broken", CHAT, 'RAW{"model": '),
    Row("chat body empty", CHAT, "RAW"),
    Row("chat body null", CHAT, None),
    text("plain"),
    text("two prompts", prompt=["one two", "three four five"]),
    text("token ids", prompt=[5, 6, 7]),
    text("two lists of token ids", prompt=[[5, 6, 7], [8, 9]]),
    text("prompt empty", prompt=""),
    text("prompt an empty list", prompt=[]),
    text("prompt a list with an empty text", prompt=["one", ""]),
    text("no prompt", "prompt"),
    text("prompt a number", prompt=5),
    text("prompt mixed", prompt=["a", 5]),
    text("token id below 0", prompt=[-1]),
    text("prompt beyond the context", prompt="WORDS:4200"),
    text("max_tokens 0", max_tokens=0),
    text("max_tokens 0 with echo", max_tokens=0, echo=True),
    text("max_tokens 0 with echo, streamed", max_tokens=0, echo=True, stream=True),
    text("no max_tokens", "max_tokens"),
    text("max_tokens beyond the context", max_tokens=5000),
    text("max_completion_tokens is not read", max_completion_tokens=2),
    text("echo", echo=True),
    text("n 2", n=2, temperature=1),
    text("n 2 of two prompts", n=2, temperature=1, prompt=["one two", "three four five"]),
    text("n null", n=None),
    text("suffix", suffix="x"),
    text("stream", stream=True),
    text("stream with usage", stream=True, stream_options=USAGE),
    text("stream with usage in each chunk", stream=True, stream_options=EACH),
    text("stream of two prompts", stream=True, stream_options=USAGE, prompt=["one two", "three four five"]),
    text("stream_options without a stream", stream_options=USAGE),
    text("another model", model="other"),
    Row("text body broken", TEXT, "RAW{"),
    Row("tokenize nothing", "POST /tokenize", {"model": "MODEL"}),
    Row("tokenize another model", "POST /tokenize", {"model": "other", "prompt": "a"}),
    Row("a route that is not there", "POST /v1/nowhere", {}),
    Row("another method", "GET /v1/chat/completions", {}),
)


def ask(url: str, model: str) -> dict[str, dict[str, Any]]:
    """What this engine answers to every row, by its name."""
    with httpx.Client(base_url=url, timeout=60.0, trust_env=False) as client:
        return {row.name: _facts(_sent(client, row, model), model) for row in ROWS}


def _sent(client: httpx.Client, row: Row, model: str) -> httpx.Response:
    method, path = row.route.split()
    if method == "GET":
        return client.get(path)
    if isinstance(row.body, str):
        content = row.body.removeprefix("RAW")
    else:
        content = json.dumps(row.body).replace('"MODEL"', json.dumps(model))
        for words in (4081, 4200):
            content = content.replace(f"WORDS:{words}", " ".join(["one"] * words))
    return client.request(method, path, content=content, headers={"content-type": "application/json"})


def _facts(response: httpx.Response, model: str) -> dict[str, Any]:
    """Status, and the error, or the shape of the answer: what does not depend on the model."""
    if response.status_code != 200:
        document = response.json()
        error = document.get("error", document)
        if len(error.get("message", "")) > _SHOWN:
            error["message"] = "…"  # of many lines, one for each of vLLM's classes of messages
        return {
            "status": response.status_code,
            "error": json.loads(json.dumps(error).replace(model, "MODEL")),
        }
    if response.headers["content-type"].startswith("text/event-stream"):
        return {"status": 200, **_stream(response.text)}
    document = response.json()
    choices = [[choice["index"], choice["finish_reason"]] for choice in document["choices"]]
    tokens = document["usage"]["completion_tokens"]
    return {"status": 200, "object": document["object"], "choices": choices, "completion_tokens": tokens}


def _stream(body: str) -> dict[str, Any]:
    events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]
    ends = sorted(
        [c["index"], c["finish_reason"]] for e in events for c in e["choices"] if c["finish_reason"]
    )
    return {
        "object": events[0]["object"],
        "events": len(events),
        "choices": ends,
        "usages": [event["usage"]["completion_tokens"] for event in events if event.get("usage")],
        "done": body.endswith("data: [DONE]\n\n"),
    }


def stored() -> dict[str, dict[str, Any]]:
    """The recorded answers."""
    table: dict[str, dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table


def main(url: str) -> None:
    """Record the table."""
    model = httpx.get(f"{url}/v1/models").json()["data"][0]["id"]
    rows = (f"  {json.dumps(name)}: {json.dumps(facts)}" for name, facts in ask(url, model).items())
    TABLE.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
