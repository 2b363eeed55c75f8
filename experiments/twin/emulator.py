"""A stand-in for vLLM on machines that cannot run it: its routes and metric names over a model of its timing.

    python -m experiments.twin.emulator --port 8000 --model emulated --profile tiny-cpu

It computes no text: each answer is made of common words. What is real is when tokens appear: continuous
batching under a token budget, KV blocks and preemption, and a step-time model, in real time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import orjson
import uvicorn
from pydantic import ValidationError

from experiments.errors import EnvironmentProblem, UserError
from experiments.twin import messages, routes
from experiments.twin import profile as profiles
from experiments.twin.asked import Asked, check_model
from experiments.twin.body_fields import DetokenizeFields, TokenizeFields, read
from experiments.twin.chat import Answer, count_tokens, load_words
from experiments.twin.emulator_metrics import EmulatorMetrics
from experiments.twin.live import LiveEngine, Stream, tokens
from experiments.twin.refusal import BadRequestError, NoSuchRouteError

VERSION = "0.32.0+emulator"
MAX_BODY_BYTES = 64_000_000
_BUSY = (
    "The engine is currently busy and cannot accept new requests. "
    "Please try again later or on a different instance."
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Emulator:
    """The ASGI application. Beyond `max_num_queued_reqs` unfinished requests it answers 503, and without the
    `api_key` 401 below /v1, as vLLM does."""

    def __init__(
        self,
        profile: profiles.Profile,
        model: str,
        max_num_queued_reqs: int | None = None,
        api_key: str | None = None,
    ) -> None:
        self._needed = f"Bearer {api_key}".encode() if api_key else None
        self.profile = profile
        self.model = model
        self._admitted_at_most = max_num_queued_reqs
        self._unfinished = 0
        self.words = load_words()
        self.metrics = EmulatorMetrics(model)
        self.engine = LiveEngine(profile, lambda report: self.metrics.step(self.engine, report))
        self.metrics.cache_config(self.engine)
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization")
            if self._needed is not None and scope["path"].startswith("/v1") and given != self._needed:
                await _whole(send, b'{"error":"Unauthorized"}', 401)
                return
            try:
                await self._answer(scope["method"], scope["path"], receive, send)
            except BadRequestError as refused:
                told = refused.as_message() if scope["path"].startswith("/v1/messages") else refused.body
                await _whole(send, told, refused.status)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._running = asyncio.create_task(self.engine.run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, method: str, path: str, receive: Receive, send: Send) -> None:
        if self._running is None or self._running.done():
            raise BadRequestError("the emulated engine has died", 500, "InternalServerError")
        match method, path:
            case "POST", path if path in routes.ANSWERED:
                parse, kind = routes.ANSWERED[path]
                asked = parse(await _body(receive), self.model, self.profile.max_model_len)
                await self._complete(asked, kind, receive, send)
            case "POST", "/tokenize":
                await _whole(send, self._tokenize(await _body(receive)))
            case "POST", "/detokenize":
                await _whole(send, self._detokenize(await _body(receive)))
            case "POST", "/v1/messages/count_tokens":
                await _whole(send, messages.counted(await _body(receive), self.model))
            case "GET", "/health" | "/ping":
                await _whole(send, b"")
            case "GET", "/version":
                await _whole(send, orjson.dumps({"version": VERSION}))
            case "GET", "/v1/models":
                await _whole(send, orjson.dumps(self._models()))
            case "GET", "/metrics":
                self.metrics.idle(self.engine)
                await _whole(send, self.metrics.text(), kind=b"text/plain; version=0.0.4; charset=utf-8")
            case _:
                raise NoSuchRouteError(405 if path in routes.ALL else 404)

    def _models(self) -> dict[str, Any]:
        served = {
            "id": self.model,
            "object": "model",
            "created": int(time.time()),
            "owned_by": "emulator",
            "root": self.model,
            "max_model_len": self.profile.max_model_len,
        }
        return {"object": "list", "data": [served]}

    def _tokenize(self, body: bytes) -> bytes:
        fields = TokenizeFields.read(body)
        check_model(fields.model, self.model)
        if fields.messages is not None:
            count = count_tokens(fields.messages)
        else:
            count = len((fields.prompt or "").split())
        answer = {"count": count, "max_model_len": self.profile.max_model_len, "tokens": list(range(count))}
        return orjson.dumps(answer)

    def _detokenize(self, body: bytes) -> bytes:
        fields = read(DetokenizeFields, body)
        check_model(fields.model, self.model)
        words = [self.words[token % len(self.words)] for token in fields.tokens]
        return orjson.dumps({"prompt": " ".join(words)})

    async def _complete(self, asked: Asked, kind: type[Answer], receive: Receive, send: Send) -> None:
        if self._admitted_at_most is not None and self._unfinished + asked.answers > self._admitted_at_most:
            raise BadRequestError(_BUSY, 503, "Service Unavailable")
        streams = self._submit(asked)
        answer = kind(asked, uuid.uuid4().hex[:16], int(time.time()), self.words)
        watch = asyncio.create_task(_gone(receive))
        watch.add_done_callback(lambda _: self._abandon(streams))
        self._unfinished += asked.answers
        try:
            await (_stream if asked.stream else _collect)(asked, tokens(streams, asked.choices), answer, send)
        finally:
            self._unfinished -= asked.answers
            self._abandon(streams)
            watch.cancel()

    def _submit(self, asked: Asked) -> list[Stream]:
        """A request of the engine's own for each prompt."""
        streams: list[Stream] = []
        try:
            for prompt in asked.prompts:
                stream = self.engine.submit(prompt.prompt_tokens, prompt.output_tokens, asked.choices)
                stream.finish_reason = prompt.finish_reason
                streams.append(stream)
        except ValueError as error:
            self._abandon(streams)
            raise BadRequestError(str(error)) from error
        return streams

    def _abandon(self, streams: Sequence[Stream]) -> None:
        """The client is gone, or the server is closing; nothing to do for an answer that is complete."""
        for stream in streams:
            if stream.ended_s is None:
                self.engine.cancel(stream)
                self.metrics.success["abort"].inc()


async def _gone(receive: Receive) -> None:
    """Return when the client has hung up; before that, servers may send empty rests of the request."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stream(asked: Asked, taken: AsyncIterator[list[int]], answer: Answer, send: Send) -> None:
    headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    left = asked.usage()["completion_tokens"]
    parts = [answer.head()]
    async for choices in taken:
        parts += [answer.chunk(choice) for choice in choices]
        left -= len(choices)
        if not left:
            parts.append(answer.tail())
        await send({"type": "http.response.body", "body": b"".join(parts), "more_body": left > 0})
        parts = []


async def _collect(asked: Asked, taken: AsyncIterator[list[int]], answer: Answer, send: Send) -> None:
    left = asked.usage()["completion_tokens"]
    async for choices in taken:
        left -= len(choices)
    if not left:  # else it was cancelled
        await _whole(send, answer.whole())


async def _body(receive: Receive) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequestError("the client went away", 499)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise BadRequestError(f"the body is larger than {MAX_BODY_BYTES} bytes", 413)
        more = message.get("more_body", False)
    return b"".join(parts)


async def _whole(send: Send, body: bytes, status: int = 200, kind: bytes = b"application/json") -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal ends it; 2 for a wrong argument, 1 when the port is taken."""
    try:
        args = _arguments(argv)
        profile = with_settings(profiles.named(args.profile), [*_limits(args), *args.set])
        app = Emulator(profile, args.model, args.max_num_queued_reqs, args.api_key)
        return _serve(app, args.host, args.port)
    except (UserError, EnvironmentProblem) as problem:
        print(f"emulator: {problem}", file=sys.stderr)
        return problem.exit_code


def with_settings(profile: profiles.Profile, settings: list[str]) -> profiles.Profile:
    """`profile` with some keys replaced, given as `KEY=VALUE`.

    Raises:
        UserError: an unknown key, or a value that it does not allow.
    """
    changed = profile.model_dump()
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in changed:
            raise UserError(
                f"--set {setting}: {key!r} is not a key of a profile; allowed: {', '.join(changed)}"
            )
        changed[key] = value
    try:
        return profiles.Profile.model_validate(changed)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        raise UserError(f"--set {key}={changed[key]}: {first['msg']}") from error


def _limits(args: argparse.Namespace) -> list[str]:
    """vLLM's flags as settings of the profile."""
    flags = {"max_num_seqs": args.max_num_seqs, "max_num_batched_tokens": args.max_num_batched_tokens}
    return [f"{key}={value}" for key, value in flags.items() if value is not None]


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.twin.emulator", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--model", default="emulated", help="name of the model it serves (default: %(default)s)"
    )
    parser.add_argument(
        "--profile",
        default=profiles.TINY_CPU.name,
        help="timing to imitate: tiny-cpu, exact (10 ms a step) or calibrated:FILE (default: %(default)s)",
    )
    parser.add_argument(
        "--api-key",
        metavar="KEY",
        default=os.environ.get("VLLM_API_KEY") or None,
        help="asked for below /v1 (default $VLLM_API_KEY, else none)",
    )
    parser.add_argument("--max-num-seqs", metavar="N", help="largest batch (default: the profile's)")
    parser.add_argument(
        "--max-num-batched-tokens", metavar="N", help="most tokens in a step (default: the profile's)"
    )
    parser.add_argument(
        "--max-num-queued-reqs",
        type=int,
        metavar="N",
        help="answer 503 beyond N unfinished requests (default: none is turned away)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace one parameter of the profile; repeatable",
    )
    return parser.parse_args(argv)


def _serve(app: Emulator, host: str, port: int) -> int:
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=5,
        lifespan="on",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    print(
        f"EMULATOR {app.profile.name} ({app.profile.source}) on http://{host}:{port}",
        file=sys.stderr,
        flush=True,
    )
    try:
        server.run()
    except SystemExit as error:  # uvicorn's way to say that it cannot listen
        raise EnvironmentProblem(f"port {port} on {host} cannot be listened on") from error
    return 0


if __name__ == "__main__":
    sys.exit(main())
