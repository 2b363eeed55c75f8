"""An engine at the wire, scripted per byte: each request carries its own script in its JSON body.

The body's `script` is a list of steps, done in order on that request's connection:
    ["send", TEXT]   writes TEXT (latin-1)            ["wait", SECONDS]  sleeps
    ["gate", NAME]   waits until `open_gate(NAME)`    ["hang"]           waits until the peer closes
    ["repeat", N, TEXT]  writes TEXT N times
    ["close"]        closes in order                  ["reset"]          closes with a TCP reset
Without a script the engine answers in a normal way, streamed or not. It runs in a thread of the test process.
"""

import asyncio
import json
import select
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

CHUNK_HEAD = 'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":'
DONE = "data: [DONE]\n\n"
SSE_HEAD = (
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
END = "0\r\n\r\n"


def event(content: str, **delta: Any) -> str:
    """One completion chunk as a server-sent event."""
    return CHUNK_HEAD + json.dumps({"content": content, **delta}) + ',"finish_reason":null}]}\n\n'


def usage_event(prompt: int = 3, completion: int = 2) -> str:
    """The last event of a stream that was asked for its usage."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return (
        "data: "
        + json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage})
        + "\n\n"
    )


def chunk(text: str) -> str:
    """TEXT as one piece of a chunked body."""
    return f"{len(text.encode('latin-1')):x}\r\n{text}\r\n"


def whole(status: int, body: str, kind: str = "application/json", extra: str = "") -> str:
    """A complete answer with a content-length."""
    length = len(body.encode())
    return f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{extra}\r\n{body}"


def completion(text: str = "hello") -> str:
    """The body of an answer that is not streamed."""
    message = {"role": "assistant", "content": text}
    return json.dumps(
        {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "tiny",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        }
    )


@dataclass
class Seen:
    """One request as the engine saw it. closed_s: when the gateway closed on it, monotonic."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    arrived_s: float
    closed_s: float | None = None

    @property
    def fields(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class ScriptedEngine:
    """Starts on enter, stops on exit; `port` may be given to come back on the same one."""

    port: int = 0
    models: tuple[str, ...] = ()
    service_s: float = 0.0
    seen: list[Seen] = field(default_factory=list)
    playing: set[asyncio.Transport] = field(default_factory=set)
    running: int = 0
    peak: int = 0
    connections: int = 0
    control: Counter[str] = field(default_factory=Counter)
    control_script: list[list[Any]] | None = None
    stale: set[int] = field(default_factory=set)

    def __enter__(self) -> "ScriptedEngine":
        self._loop = asyncio.new_event_loop()
        self._gates: dict[str, asyncio.Event] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.open_connections: set[_Connection] = set()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def forget_peak(self) -> None:
        """Begins `peak` anew; on the engine's own thread, since counting there may be half done."""

        async def forget() -> None:
            self.peak = 0

        asyncio.run_coroutine_threadsafe(forget(), self._loop).result(10)

    def open_gate(self, name: str) -> None:
        """Lets every request waiting at that gate go on, now and later."""
        self._loop.call_soon_threadsafe(lambda: self._gate(name).set())

    def close_idle(self, all_of_them: bool = False) -> None:
        """Closes connections on which no completion runs; with
        `all_of_them` also those of hung control requests.
        """

        def close() -> None:
            for connection in list(self.open_connections):
                if all_of_them or connection.idle:
                    connection.transport.close()

        self._loop.call_soon_threadsafe(close)

    def _gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(ready))
        self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        self._stop = asyncio.Event()
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        server = await self._loop.create_server(lambda: _Connection(self), sock=listening, backlog=4096)
        ready.set()
        await self._stop.wait()
        server.close()
        for connection in list(self.open_connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def play(self, seen: Seen, transport: asyncio.Transport) -> None:
        """Does what the request's script says."""
        fields = seen.fields
        script = fields.get("script")
        if script is None:
            await asyncio.sleep(fields.get("service_s", self.service_s))
            script = _normal(fields)
        for step in script:
            await self.step(step, transport)

    async def step(self, step: list[Any], transport: asyncio.Transport) -> None:
        """Does one step."""
        match step:
            case ["send", text]:
                transport.write(text.encode("latin-1"))
            case ["wait", seconds]:
                await asyncio.sleep(seconds)
            case ["gate", name]:
                await self._gate(name).wait()
            case ["close"]:
                transport.close()
            case ["reset"]:
                linger = struct.pack("ii", 1, 0)
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                transport.abort()
            case ["repeat", times, text]:
                for _ in range(times):
                    transport.write(text.encode("latin-1"))
                    await asyncio.sleep(0)
            case ["hang"]:
                await asyncio.Event().wait()
            case _:
                raise AssertionError(f"unknown step {step!r}")

    def control_answer(self, path: str) -> str:
        """What a GET gets."""
        data = [{"id": name, "object": "model", "created": 1, "owned_by": "test"} for name in self.models]
        return whole(200, json.dumps({"object": "list", "data": data}) if path == "/v1/models" else "")


class _Connection(asyncio.Protocol):
    """One connection of the gateway, served request by request."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self._engine = engine
        self._number = 0
        self._held = b""
        self._playing: Seen | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        return self._task is None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._engine.connections += 1
        self._engine.open_connections.add(self)
        self._number = self._engine.connections

    def connection_lost(self, exc: Exception | None) -> None:
        self._engine.open_connections.discard(self)
        if self._playing is not None:
            self._playing.closed_s = time.monotonic()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._number in self._engine.stale:
            self.transport.abort()
            return
        self._held += data
        self._next()

    def _next(self) -> None:
        head, head_end, rest = self._held.partition(b"\r\n\r\n")
        if self._task is not None or not head_end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._held = rest[length:]
        seen = Seen(path, headers, rest[:length], self._number, time.monotonic())
        self._task = asyncio.get_running_loop().create_task(self._serve(method, seen))
        self._engine.tasks.add(self._task)
        self._task.add_done_callback(self._engine.tasks.discard)

    async def _serve(self, method: str, seen: Seen) -> None:
        engine = self._engine
        if method == "GET":
            engine.control[seen.path] += 1
            for step in engine.control_script or [["send", engine.control_answer(seen.path)]]:
                await engine.step(step, self.transport)
        else:
            engine.seen.append(seen)
            engine.running += 1
            engine.playing.add(self.transport)
            engine.peak = max(engine.peak, sum(not _left(transport) for transport in engine.playing))
            self._playing = seen
            try:
                await engine.play(seen, self.transport)
            finally:
                engine.running -= 1
                engine.playing.discard(self.transport)
                self._playing = None
        self._task = None
        self._next()


def _left(transport: asyncio.Transport) -> bool:
    """Whether the peer has closed, also when the loop has not come round to reading that yet.

    One look of the event loop may bring a new request before the end of an older one that came first.
    """
    if transport.is_closing():
        return True
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))


def _normal(fields: dict[str, Any]) -> list[list[Any]]:
    if not fields.get("stream"):
        return [["send", whole(200, completion())]]
    tail = usage_event() if (fields.get("stream_options") or {}).get("include_usage") else ""
    pieces = [event("", role="assistant"), event("hel"), event("lo"), tail + DONE]
    return [["send", SSE_HEAD], *(["send", chunk(piece)] for piece in pieces), ["send", END]]
