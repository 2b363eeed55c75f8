"""A request of the control plane, as the ASGI application sees it. Its answers are small and whole."""

import asyncio
from contextlib import suppress
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp, Message, Scope

from gateway.listener import FrontClient
from gateway.refusal import Headers, Refusal, internal, invalid
from gateway.request_reader import Reading, RequestReader

MOST_UNREAD_BYTES = 65_536


class ControlExchange:
    """Runs the application for one request, in a task of its own."""

    def __init__(self, client: FrontClient, request: RequestReader) -> None:
        self._client = client
        self._request = request
        self._more = asyncio.Event()
        self._asked = False
        self._paused = False
        self._over = False
        self._status = 0
        self._fields: Headers = []
        self._body = b""

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """The task. What the application fails to answer is an internal error; what it raises behind its
        answer it has logged.
        """
        with suppress(Exception):
            await app(scope, self._receive, self._send)
        self._refuse(internal())

    def body_arrived(self) -> None:
        self._more.set()
        waiting_bytes = sum(map(len, self._request.body))
        if waiting_bytes > MOST_UNREAD_BYTES and not self._paused and not self._over:
            self._paused = True
            self._client.pause_reading()

    def body_broken(self) -> None:
        self._refuse(invalid("The request body is not valid HTTP/1.1.", close=True))
        self._more.set()

    def client_left(self) -> None:
        self._over = True
        self._more.set()

    def client_paused(self) -> None:
        """Nothing: the answer is written at once, whole."""

    def client_resumed(self) -> None:
        """Nothing: see `client_paused`."""

    def client_stalled(self) -> None:
        self.client_left()

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            self._client.ask_for_body()
        while not (self._over or self._request.body or self._request.state is Reading.COMPLETE):
            self._more.clear()
            await self._more.wait()
        if self._over:
            return {"type": "http.disconnect"}
        self._resume()
        more = self._request.state is not Reading.COMPLETE
        return {"type": "http.request", "body": self._request.take(), "more_body": more}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._fields = message["status"], list(message["headers"])
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False) or self._over:
            return
        kept = [pair for pair in self._fields if pair[0] not in (b"content-length", b"connection")]
        if (b"connection", b"close") in self._fields:
            self._client.close_after_answer()
        self._answer(self._status, b"".join([b"%b: %b\r\n" % pair for pair in kept]), self._body)

    def _refuse(self, refusal: Refusal) -> None:
        if not self._over:
            self._client.close_after_answer()
            self._answer(refusal.status, refusal.fields(), refusal.body())

    def _answer(self, status: int, fields: bytes, body: bytes) -> None:
        self._over = True
        self._resume()
        self._client.answer(status, fields, body)

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._client.resume_reading()


def path_of(target: bytes) -> str:
    """The path of a request's target, decoded, without a slash at its end: base URLs are written with one,
    and joined with paths that have one too. Raises Refusal for a target that has none.
    """
    try:
        path = httptools.parse_url(target).path
    except httptools.HttpParserInvalidURLError:
        raise invalid("The request target is malformed.") from None
    if path is None:
        raise invalid("The request target is malformed.")
    return unquote(path.decode("ascii", "replace")).rstrip("/") or "/"


def scope_of(request: RequestReader, path: str) -> Scope:
    """The ASGI scope. HEAD is answered wherever GET is: the connection leaves out the body of an answer to
    HEAD.
    """
    method = request.method.decode("ascii")
    query = request.target.partition(b"?")[2].partition(b"#")[0]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.version,
        "method": "GET" if method == "HEAD" else method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": request.headers,
        "client": None,
        "server": None,
    }
