"""What stands before an engine in other networks, small: TLS, a login, a path. And a forward proxy."""

import asyncio
import base64
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.reaching.authority import Authority

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _Server:
    """An asyncio server in a thread of its own, on a free port of 127.0.0.1."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self._tls = tls
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # aborted connections are closed by the loop's next round

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            pass  # it left, or the test is over
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's head as it came."""

    line: str
    fields: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> "Asked":
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head[1:] if line)
        return cls(head[0], {name.lower(): value.strip() for name, _, value in pairs})

    def to_bytes(self, line: str, fields: dict[str, str]) -> bytes:
        return "".join([f"{line}\r\n", *(f"{k}: {v}\r\n" for k, v in fields.items()), "\r\n"]).encode(
            "latin-1"
        )


class Front(_Server):
    """Lets through who brings the login and asks below the path, to an engine at `engine_port`.

    The engine's key is what comes in `X-API-Key`, as the documentation tells nginx to pass it on.
    """

    def __init__(
        self, engine_port: int, *, authority: Authority | None = None, login: str = "", path: str = ""
    ) -> None:
        tls = None
        if authority is not None:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(authority.certificate, authority.key)
        super().__init__(tls)
        self._engine_port = engine_port
        self._path = path
        self._wanted = f"Basic {base64.b64encode(login.encode()).decode()}" if login else ""
        self.seen: list[Asked] = []

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}{self._path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await Asked.read(reader)
        self.seen.append(asked)
        method, target, _ = asked.line.split(" ")
        body = await reader.readexactly(int(asked.fields.get("content-length", 0)))
        if self._wanted and asked.fields.get("authorization") != self._wanted:
            writer.write(_page("401 Unauthorized", 'www-authenticate: Basic realm="team"\r\n'))
        elif not target.startswith(self._path + "/"):
            writer.write(_page("404 Not Found"))
        else:
            fields = {**asked.fields, "connection": "close"}
            if self._wanted:
                fields["authorization"] = f"Bearer {fields.get('x-api-key', '')}"
            line = f"{method} {target.removeprefix(self._path)} HTTP/1.1"
            from_engine, to_engine = await asyncio.open_connection("127.0.0.1", self._engine_port)
            try:
                to_engine.write(asked.to_bytes(line, fields) + body)
                await _pour(from_engine, writer)
            finally:
                to_engine.transport.abort()
        await writer.drain()
        writer.close()
        await writer.wait_closed()


class ForwardProxy(_Server):
    """Takes CONNECT and whole addresses, with a login; every name is this machine to it."""

    def __init__(self, login: str = "") -> None:
        super().__init__()
        self._wanted = f"Basic {base64.b64encode(login.encode()).decode()}" if login else ""
        self.seen: list[Asked] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await Asked.read(reader)
        self.seen.append(asked)
        method, target, _ = asked.line.split(" ")
        if self._wanted and asked.fields.get("proxy-authorization") != self._wanted:
            writer.write(_page("407 Proxy Authentication Required"))
            await writer.drain()
            return
        port, request = urlsplit(target if "://" in target else f"//{target}").port, b""
        if method != "CONNECT":
            body = await reader.readexactly(int(asked.fields.get("content-length", 0)))
            path = urlsplit(target).path or "/"
            query = urlsplit(target).query
            line = f"{method} {path}{'?' + query if query else ''} HTTP/1.1"
            request = asked.to_bytes(line, {**asked.fields, "connection": "close"}) + body
        # Nothing is awaited between this and what closes it.
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        to_server.write(request)
        up = asyncio.create_task(_pour(reader, to_server))
        try:
            await _pour(from_server, writer)
        finally:
            up.cancel()
            to_server.transport.abort()  # first: the end of the test may cancel what is awaited next
            await asyncio.gather(up, return_exceptions=True)


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()


def _page(status: str, fields: str = "") -> bytes:
    body = f"<html><body>{status}</body></html>"
    head = f"HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\n{fields}\r\n"
    return (head + body).encode()
