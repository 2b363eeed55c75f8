"""Engines other than ours at the wire: each streams its own dialect, and serves its own pages and metrics.

One server plays each kind of `KINDS`. Its metrics page has the form of `tests/monitoring/expositions`, with
what this server really did in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from tests.chunks.table import DONE, choices, delta, usage

EXPOSITIONS = Path(__file__).resolve().parents[1] / "monitoring" / "expositions"
MODEL = "served"
TOKEN_S = 0.004
"""A token of a stream takes so long, however many there are."""
BATCH = 4
"""Requests at once; the others wait, as they do inside an engine."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stream:
    """An engine's chunks: what comes first, a token, and what ends an answer of some tokens."""

    first: bytes
    token: bytes
    last: Callable[[int, int], tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class ForeignKind:
    """One kind of engine.

    Attributes:
        owner: of its models; None: it names none.
        stream: its dialect.
        exposition: file of its metrics page; None: it has none.
        live: name of a sample → what of `Work` it shows.
        pages: path → JSON that it answers there.
        catch_all: what it answers with 200 at every other path; None: 404.
    """

    owner: str | None
    stream: Stream
    exposition: str | None = None
    live: Mapping[str, str] = field(default_factory=dict)
    pages: Mapping[str, object] = field(default_factory=dict)
    catch_all: bytes | None = None


@dataclass
class Work:
    """What the server has done."""

    running: int = 0
    waiting: int = 0
    cache_use: float = 0.0
    prompt_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    seconds: float = 0.0
    wait_s: float = 0.0


def _openai(*, null_usage: bool = False) -> Stream:
    more = {"usage": None} if null_usage else None
    return Stream(
        delta(role="assistant", content="", more=more),
        delta(content="a ", more=more),
        lambda prompt, output: (delta("length", more=more), choices([], **usage(prompt, output)), DONE),
    )


def _llamacpp_end(prompt: int, output: int) -> tuple[bytes, ...]:
    return choices([{"index": 0, "delta": {}, "finish_reason": "length"}], **usage(prompt, output)), DONE


_TGI = Stream(
    b": no role of its own\n\n",
    delta(role="assistant", content="a "),
    lambda prompt, output: (
        delta("length", role="assistant", content=""), choices([], **usage(prompt, output)), DONE
    ),
)  # fmt: skip

_HISTOGRAMS = {"_count": "requests", "_sum": "seconds", '_bucket{le="+Inf"': "requests"}


def _requests(*names: str) -> dict[str, str]:
    return {name + part: what for name in names for part, what in _HISTOGRAMS.items()}


KINDS = {
    "vllm": ForeignKind(
        "vllm",
        _openai(),
        "vllm-0.8.prom",
        {
            "vllm:num_requests_running": "running",
            "vllm:num_requests_waiting": "waiting",
            "vllm:gpu_cache_usage_perc": "cache_use",
            "vllm:prompt_tokens_total": "prompt_tokens",
            "vllm:generation_tokens_total": "output_tokens",
            **_requests("vllm:e2e_request_latency_seconds"),
            "vllm:request_queue_time_seconds_sum": "wait_s",
            "vllm:request_queue_time_seconds_count": "requests",
        },
        {"/version": {"version": "0.8.5"}},
    ),
    "sglang": ForeignKind(
        "sglang",
        _openai(null_usage=True),
        "sglang-0.4.prom",
        {
            "sglang:num_running_reqs": "running",
            "sglang:num_queue_reqs": "waiting",
            "sglang:token_usage": "cache_use",
            "sglang:prompt_tokens_total": "prompt_tokens",
            "sglang:generation_tokens_total": "output_tokens",
            **_requests("sglang:e2e_request_latency_seconds"),
        },
        {
            "/get_server_info": {
                "model_path": "org/served",
                "tp_size": 1,
                "context_length": 4096,
                "max_running_requests": None,
                "internal_states": [{"effective_max_running_requests_per_dp": BATCH}],
                "version": "0.4.9",
            }
        },
    ),
    "llamacpp": ForeignKind(
        "llamacpp",
        Stream(delta(role="assistant", content=None), delta(content="a "), _llamacpp_end),
        "llamacpp-2026.prom",
        {
            "llamacpp:requests_processing": "running",
            "llamacpp:requests_deferred": "waiting",
            "llamacpp:prompt_tokens_total": "prompt_tokens",
            "llamacpp:tokens_predicted_total": "output_tokens",
        },
        {
            "/props": {
                "default_generation_settings": {"n_ctx": 4096, "params": {}},
                "total_slots": BATCH,
                "model_path": "served.gguf",
                "build_info": "b7100-0123abc",
            }
        },
    ),
    "tgi": ForeignKind(
        "org/served",
        _TGI,
        "tgi-3.prom",
        {
            "tgi_batch_current_size": "running",
            "tgi_queue_size": "waiting",
            **_requests("tgi_request_duration"),
            "tgi_request_queue_duration_sum": "wait_s",
            "tgi_request_queue_duration_count": "requests",
            "tgi_request_generated_tokens_sum": "output_tokens",
            "tgi_request_input_length_sum": "prompt_tokens",
        },
        {
            "/info": {
                "model_id": "org/served",
                "max_concurrent_requests": 128,
                "max_total_tokens": 4096,
                "max_batch_size": None,
                "version": "3.3.4",
                "router": "text-generation-router",
            }
        },
    ),
    "ollama": ForeignKind("library", _openai(), pages={"/api/version": {"version": "0.12.3"}}),
    # Answers every path with 200, as LM Studio and single-page applications do.
    "openai": ForeignKind(
        "organization_owner", _openai(), catch_all=b"<!doctype html>\n<script>\nvar x = 1\n</script>\n"
    ),
}


class ForeignEngine:
    """An ASGI app of one kind. `asked`: every path that was asked for, in order."""

    def __init__(self, kind: ForeignKind) -> None:
        self.kind = kind
        self.work = Work()
        self.asked: list[str] = []
        self._batch = asyncio.Semaphore(BATCH)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        assert scope["type"] == "http"
        path = scope["path"]
        self.asked.append(path)
        if path == "/v1/chat/completions":
            await self._chat(receive, send)
        elif path == "/v1/models":
            model = {"id": MODEL, "object": "model", "created": 0, "owned_by": self.kind.owner}
            await _whole(send, json.dumps({"object": "list", "data": [model]}).encode())
        elif path == "/metrics" and self.kind.exposition:
            await _whole(send, self.metrics().encode(), kind=b"text/plain; version=0.0.4")
        elif path in self.kind.pages:
            await _whole(send, json.dumps(self.kind.pages[path]).encode())
        elif self.kind.catch_all is not None:
            await _whole(send, self.kind.catch_all, kind=b"text/html")
        else:
            await _whole(send, b'{"detail":"Not Found"}', status=404)

    def metrics(self) -> str:
        """The page now; samples that are not followed are 0."""
        lines = (EXPOSITIONS / (self.kind.exposition or "")).read_text().splitlines()
        return "\n".join([*map(self._line, lines), ""])

    def _line(self, line: str) -> str:
        sample = line.rpartition(" ")[0]
        if line.startswith("#") or "_info{" in line:
            return line
        name = sample.partition("{")[0]
        whole = name if not name.endswith("_bucket") else f'{name}{{le="+Inf"'
        what = self.kind.live.get(whole if 'le="+Inf"' in sample or name == whole else "")
        return f"{sample} {getattr(self.work, what) if what else 0}"

    async def _chat(self, receive: Receive, send: Send) -> None:
        asked = json.loads(await _body(receive))
        prompt = sum(len(str(message["content"]).split()) for message in asked["messages"])
        arrived_s = time.monotonic()
        self.work.waiting += 1
        try:
            await self._batch.acquire()
        finally:
            self.work.waiting -= 1
        self.work.wait_s += time.monotonic() - arrived_s
        self.work.running += 1
        self.work.cache_use = self.work.running / (2 * BATCH)
        try:
            await self._answer(send, prompt, int(asked.get("max_tokens") or 16), bool(asked.get("stream")))
        finally:
            self.work.running -= 1
            self.work.cache_use = self.work.running / (2 * BATCH)
            self._batch.release()
        self.work.requests += 1
        self.work.seconds += time.monotonic() - arrived_s

    async def _answer(self, send: Send, prompt: int, tokens: int, stream: bool) -> None:
        self.work.prompt_tokens += prompt
        if not stream:
            await asyncio.sleep(tokens * TOKEN_S)
            self.work.output_tokens += tokens
            message = {"role": "assistant", "content": "a " * tokens}
            whole = {"choices": [{"index": 0, "message": message, "finish_reason": "length"}]}
            await _whole(send, json.dumps(whole | usage(prompt, tokens)).encode())
            return
        await _head(send, 200, b"text/event-stream")
        await send({"type": "http.response.body", "body": self.kind.stream.first, "more_body": True})
        for _ in range(tokens):
            await asyncio.sleep(TOKEN_S)
            self.work.output_tokens += 1
            await send({"type": "http.response.body", "body": self.kind.stream.token, "more_body": True})
        for piece in self.kind.stream.last(prompt, tokens):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@contextlib.contextmanager
def served(kind: ForeignKind) -> Iterator[tuple[str, ForeignEngine]]:
    """The URL of an engine of that kind, and the engine."""
    engine = ForeignEngine(kind)
    # lifespan off: the app knows requests only.
    config = uvicorn.Config(engine, log_level="error", lifespan="off", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", engine
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


async def _head(send: Send, status: int, kind: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})


async def _whole(send: Send, body: bytes, *, status: int = 200, kind: bytes = b"application/json") -> None:
    await _head(send, status, kind)
    await send({"type": "http.response.body", "body": body})
