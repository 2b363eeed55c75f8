"""The engine over HTTP/1.1: one request, its answer's head, then its body piece by piece."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from gateway.refusal import Headers, broken, truncated, unreachable

MAX_HEAD_BYTES = 65_536


class Answer:
    """The engine's answer: status, fields with lower-case names, and a body that is read once.

    `close` is owed on every path: it returns a connection whose answer was read to its end and drops any
    other, which is how the engine learns that nobody wants the rest.
    """

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Headers = [(name.lower(), value) for name, value in response.raw_headers]

    async def read(self) -> bytes:
        """The next piece, or b"" at the end. Raises Refusal when the answer breaks off or is not HTTP."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise truncated("The engine's answer broke off.") from error

    def close(self) -> None:
        self._response.close()


class Upstream:
    """Keep-alive connections to one engine. One transparent retry, only where a reused connection turned out
    dead.
    """

    def __init__(self, base_url: str, keep_alive_s: float, connect_timeout_s: float) -> None:
        self._base_url = base_url
        self._keep_alive_s = keep_alive_s
        self._connect_timeout_s = connect_timeout_s
        self._urls: dict[str, URL] = {}
        self._session: aiohttp.ClientSession | None = None
        self.retries = 0

    def start(self) -> None:
        """Opens nothing yet; must be called inside the event loop."""
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_reuseconn.append(_note_reuse)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=self._keep_alive_s, ttl_dns_cache=10),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            skip_auto_headers=("accept", "user-agent", "content-type"),
            trace_configs=[tracing],
        )

    async def stop(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()

    def connections(self) -> dict[str, int]:
        """Open connections by state."""
        connector = None if self._session is None else self._session.connector
        if connector is None:
            return {"idle": 0, "in_use": 0}
        idle = sum(len(pool) for pool in connector._conns.values())
        return {"idle": idle, "in_use": len(connector._acquired)}

    async def send(self, path: str, headers: Sequence[tuple[str, str]], content: bytes) -> Answer:
        """Posts `content` and returns the answer once its head is in. Raises Refusal."""
        try:
            return await self._once(path, headers, content)
        except _StaleError:
            self.retries += 1
            return await self._once(path, headers, content)

    async def _once(self, path: str, headers: Sequence[tuple[str, str]], content: bytes) -> Answer:
        assert self._session is not None
        url = self._urls.get(path) or self._urls.setdefault(path, URL(self._base_url + path, encoded=True))
        told: Any = SimpleNamespace(reused=False)
        try:
            response = await self._session.post(
                url, data=content, headers=headers, allow_redirects=False, trace_request_ctx=told
            )
        except (aiohttp.ServerDisconnectedError, ConnectionResetError, aiohttp.ClientOSError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                raise unreachable("The engine cannot be reached.") from error
            if told.reused:
                raise _StaleError from error
            raise broken("The engine closed the connection without an answer.") from error
        except (aiohttp.ServerTimeoutError, TimeoutError) as error:
            raise unreachable("The engine did not accept a connection in time.") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise broken("The engine's answer is not HTTP.", "upstream_garbage") from error
        return Answer(response)


class _StaleError(Exception):
    """A reused connection died before any byte of an answer."""


async def _note_reuse(_session: Any, context: Any, _params: Any) -> None:
    context.trace_request_ctx.reused = True
