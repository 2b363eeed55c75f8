"""Asks an OpenAI engine or gateway for streamed chat completions and times them.

The bytes of an answer go to the reader of the load generator (`loadtests.sending.answer`) as the event loop
gets them, with the time of that moment. So what the probe and a calibration call a chunk, a first token or a
broken stream is what the cells call so. There is no HTTP library between: it would hand the bytes on later.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from experiments.errors import EnvironmentProblem
from loadtests import latency
from loadtests.planning.optional_fields import remedy
from loadtests.reach import connect, why
from loadtests.reach.endpoint import Endpoint
from loadtests.sending.answer import Answer, BrokenAnswerError
from loadtests.sending.request import request, request_head

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 600.0
KEEP_IDLE_S = 2.0
"""Shorter than an engine's own keep-alive (uvicorn's: 5 s), so that no request meets a connection that just
closes."""


class AskFailed(EnvironmentProblem):
    """A request was not answered by a whole stream with content."""


@dataclass(frozen=True, slots=True)
class StreamedAnswer:
    """One streamed completion as its client saw it; points on the monotonic clock, seconds.

    Attributes:
        sent_s: before the request was sent; a connection that had to be made first is in what follows.
        times_s: when each chunk with content came, at least one.
        prompt_tokens, output_tokens: as the engine counted them; 0 and the number of chunks where it did not.
        ended_s: when the last byte came.
        told: whether the engine counted the output tokens.
    """

    sent_s: float
    times_s: tuple[float, ...]
    prompt_tokens: int
    output_tokens: int
    ended_s: float
    told: bool = True

    @property
    def first_s(self) -> float:
        """When the first content came."""
        return self.times_s[0]

    @property
    def last_s(self) -> float:
        """When the last content came."""
        return self.times_s[-1]

    @property
    def tpot_s(self) -> float | None:
        """Time per output token, as in the records of a load; None for an answer of one token."""
        return latency.tpot_s(self.first_s, self.last_s, self.output_tokens)


class Asker:
    """Connections to one engine or gateway, to be used as `async with`.

    There is no limit to them: an open loop must not queue in here.
    """

    def __init__(self, target: Endpoint, *, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """`timeout_s`: longest time for an answer, seconds."""
        self.url = target.url
        self._target = target
        self._tls = target.tls()
        self._timeout_s = timeout_s
        self._head = request_head(target)
        self._asked = 0
        self._idle: deque[tuple[float, _Connection]] = deque()

    async def ask(self, body: bytes) -> StreamedAnswer:
        """One request with this body, as `loadtests.sending.bodies` makes them, and its whole answer.

        Raises:
            AskFailed: nothing answers, or with anything but a whole stream.
        """
        self._asked += 1
        asked = request(self._head, body, f"ask-{self._asked}")
        sent_s = time.monotonic()
        try:
            answer = await asyncio.wait_for(self._exchange(asked), self._timeout_s)
        except TimeoutError:
            raise AskFailed(f"{self.url} did not answer a request within {self._timeout_s:g} s") from None
        except OSError as error:
            raise AskFailed(f"{self.url} cannot be reached: {why.unreachable(error, self._target)}") from None
        outcome, error_text = answer.outcome()
        refused = why.refused(answer.status or 0, answer.text(b"www-authenticate") or "", self._target)
        if refused is not None:
            raise AskFailed(f"{self.url} cannot be used: {refused} ({answer.status})")
        if outcome != "ok":
            advice = remedy(answer.status, error_text or "")
            raise AskFailed(
                f"{self.url} answered a request with {answer.status or 'nothing'}: {error_text}{advice}"
            )
        if not answer.chunk_s or answer.finished_s is None:
            raise AskFailed(f"{self.url} answered a request without content; see the engine's log")
        return StreamedAnswer(
            sent_s,
            tuple(answer.chunk_s),
            answer.prompt_tokens or 0,
            answer.output_tokens or len(answer.chunk_s),
            answer.finished_s,
            answer.output_tokens is not None,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    async def _exchange(self, request: bytes) -> Answer:
        connection = self._take_idle() or await self._connect()
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if answer.keep_alive and not connection.closed:
            self._idle.append((time.monotonic(), connection))
        else:
            connection.close()
        return answer

    def _take_idle(self) -> _Connection | None:
        """The connection used last, if it is young enough; those that are not are closed."""
        oldest_s = time.monotonic() - KEEP_IDLE_S
        while self._idle and self._idle[0][0] < oldest_s:
            self._idle.popleft()[1].close()
        while self._idle:
            connection = self._idle.pop()[1]
            if not connection.closed:
                return connection
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        target, name = self._target, self._target.host if self._tls is not None else None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                if target.proxy is None:
                    made = loop.create_connection(_Connection, target.host, target.port, ssl=self._tls)
                else:
                    sock = await asyncio.to_thread(connect.through_proxy, target, CONNECT_TIMEOUT_S)
                    made = loop.create_connection(_Connection, sock=sock, ssl=self._tls, server_hostname=name)
                _, connection = await made
        except TimeoutError as error:
            raise ConnectionError(f"no connection within {CONNECT_TIMEOUT_S:g} s") from error
        return connection


class _Connection(asyncio.Protocol):
    """A keep-alive connection that reads one answer at a time."""

    def __init__(self) -> None:
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._answer = Answer()
        self._ended: asyncio.Future[None] | None = None

    async def exchange(self, request: bytes) -> Answer:
        """Send the request; its answer, complete or as far as it came before the connection ended."""
        self._answer = Answer()
        self._ended = asyncio.get_running_loop().create_future()
        if self._transport is None or self.closed:
            raise ConnectionResetError("the connection was closed")
        self._transport.write(request)
        await self._ended
        return self._answer

    def close(self) -> None:
        """Give the connection up."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    # The event loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now_s = time.monotonic()
        if self._ended is None or self._ended.done():  # it spoke while nothing was asked
            self.close()
            return
        try:
            self._answer.feed(data, now_s)
        except BrokenAnswerError as error:
            self._answer.error_text = f"unreadable answer: {error}"
            self.close()
            self._end()
        if self._answer.complete:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._answer.ended_by_close(time.monotonic())
        self._end()

    def _end(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
