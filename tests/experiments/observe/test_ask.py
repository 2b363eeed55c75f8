"""Asking an engine and timing its stream, against servers that say exactly what a test wants."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from experiments.observe import ask
from experiments.observe.ask import Asker, AskFailed, StreamedAnswer
from experiments.observe.request_bodies import RequestBodies
from experiments.stack import engine
from experiments.stack.ports import free_port
from loadtests.planning.prompts import ONE_EACH
from loadtests.reach.endpoint import Endpoint

BODY = RequestBodies("m", ONE_EACH, "test").make(5, 3)


def _event(data: str) -> str:
    return f"data: {data}\n\n"


ROLE = _event('{"choices":[{"delta":{"role":"assistant","content":""}}]}')
TOKEN = _event('{"choices":[{"delta":{"content":"a"}}]}')
USAGE = _event('{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}')
DONE = _event("[DONE]")


def stream(*events: str) -> bytes:
    """A whole response, its length known."""
    text = "".join(events)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(text)}\r\n\r\n"
    return (head + text).encode()


WHOLE = stream(ROLE, TOKEN * 3, USAGE, DONE)


class Server:
    """Answers every request with these pieces, one write after the other; None: closes the connection."""

    def __init__(self, pieces: Sequence[bytes | None]) -> None:
        self.pieces = pieces
        self.connections = 0
        self.requests: list[bytes] = []
        self._ended: list[asyncio.Event] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        self.connections += 1
        self._ended.append(ended := asyncio.Event())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._answered(reader, writer):
                pass
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is still open after the next request."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
        self.requests.append(head + await reader.readexactly(int(length.partition(b":")[2])))
        for piece in self.pieces:
            if piece is None:
                return False
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return True

    @contextlib.asynccontextmanager
    async def asker(self, **options: float) -> AsyncIterator[Asker]:
        """An asker of this server, which runs in the same event loop."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            async with Asker(Endpoint.parse(f"http://127.0.0.1:{port}/prefix", "secret"), **options) as asker:
                yield asker
        finally:
            server.close()
            await asyncio.gather(*(ended.wait() for ended in self._ended))


def asked(server: Server, use: Callable[[Asker], Awaitable[StreamedAnswer]]) -> StreamedAnswer:
    """What `use` gets of an asker of the server."""

    async def run() -> StreamedAnswer:
        async with server.asker() as asker:
            return await use(asker)

    return asyncio.run(run())


@pytest.mark.parametrize("size", [len(WHOLE), 40, 1], ids=["in one piece", "in pieces", "byte by byte"])
def test_a_stream_is_timed_chunk_by_chunk(size: int) -> None:
    """However its bytes are split: one time for each chunk with content, the engine's own counts, no time
    for the role or the usage."""
    server = Server([WHOLE[at : at + size] for at in range(0, len(WHOLE), size)])
    answer = asked(server, lambda asker: asker.ask(BODY))
    assert (len(answer.times_s), answer.prompt_tokens, answer.output_tokens) == (3, 7, 3)
    assert answer.sent_s <= answer.first_s <= answer.last_s <= answer.ended_s
    assert answer.tpot_s == (answer.last_s - answer.first_s) / 2
    (request,) = server.requests
    assert request.startswith(b"POST /prefix/v1/chat/completions HTTP/1.1\r\n")
    assert b"authorization: Bearer secret\r\n" in request
    assert request.endswith(b"\r\n\r\n" + BODY)


def test_an_answer_of_one_token_has_no_time_per_token() -> None:
    """It is no time of zero."""
    usage = USAGE.replace('"completion_tokens":3', '"completion_tokens":1')
    assert asked(Server([stream(TOKEN, usage, DONE)]), lambda asker: asker.ask(BODY)).tpot_s is None


def test_an_engine_that_counts_nothing_has_as_many_tokens_as_chunks() -> None:
    """And a prompt of unknown length."""
    answer = asked(Server([stream(TOKEN * 2, DONE)]), lambda asker: asker.ask(BODY))
    assert (answer.prompt_tokens, answer.output_tokens) == (0, 2)


@pytest.mark.parametrize(
    ("pieces", "sentence"),
    [
        ([b'HTTP/1.1 503 No\r\ncontent-length: 28\r\n\r\n{"error":{"message":"full"}}'], "with 503: full"),
        ([b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"], "with 500: HTTP 500"),
        ([stream(TOKEN)], "the stream ended without"),
        ([WHOLE[:-30], None], "the stream ended without"),
        ([None], "with nothing: the server closed the connection without an answer"),
        ([b"SSH-2.0-OpenSSH\r\n\r\n", None], "with nothing: unreadable answer"),
        ([stream(_event("{broken"), DONE), None], "unreadable answer"),
        ([stream(_event('{"error":{"message":"out of memory"}}'), DONE)], "with 200: out of memory"),
        ([stream(ROLE, DONE)], "without content"),
    ],
)
def test_anything_but_a_whole_stream_is_one_sentence(pieces: list[bytes | None], sentence: str) -> None:
    """It names the address and says what came instead."""
    with pytest.raises(AskFailed) as error:
        asked(Server(pieces), lambda asker: asker.ask(BODY))
    assert str(error.value).startswith("http://127.0.0.1:")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_nobody_there_and_nobody_who_answers() -> None:
    """Both end by themselves."""

    async def refused() -> None:
        async with Asker(Endpoint.parse(f"http://127.0.0.1:{free_port()}")) as asker:
            await asker.ask(BODY)

    async def silent() -> None:
        async with Server([]).asker(timeout_s=0.05) as asker:
            await asker.ask(BODY)

    with pytest.raises(AskFailed, match="cannot be reached"):
        asyncio.run(refused())
    with pytest.raises(AskFailed, match=r"did not answer a request within 0\.05 s"):
        asyncio.run(silent())


def test_a_connection_is_kept_for_the_next_request_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as are needed at once; one that was idle for longer than engines allow is not used again."""
    server = Server([WHOLE])

    async def run() -> list[int]:
        async with server.asker() as asker:
            counts = []
            for _ in range(2):
                await asker.ask(BODY)
                counts.append(server.connections)
            await asyncio.gather(*(asker.ask(BODY) for _ in range(3)))
            counts.append(server.connections)
            monkeypatch.setattr(ask, "KEEP_IDLE_S", -1.0)
            await asker.ask(BODY)
            return [*counts, server.connections]

    assert asyncio.run(run()) == [1, 1, 3, 4]


def test_a_failed_request_does_not_spoil_the_next() -> None:
    """Its connection is given up."""
    server = Server([WHOLE[:-30], None])

    async def run() -> StreamedAnswer:
        async with server.asker() as asker:
            with pytest.raises(AskFailed):
                await asker.ask(BODY)
            server.pieces = [WHOLE]
            return await asker.ask(BODY)

    assert len(asyncio.run(run()).times_s) == 3


def test_the_emulator_is_asked_for_exact_lengths(tmp_path: Path) -> None:
    """Five marks of the chat template beside the words, and as many tokens as were asked for."""

    async def run(served: engine.Engine) -> StreamedAnswer:
        async with Asker(Endpoint.parse(served.url)) as asker:
            return await asker.ask(RequestBodies(served.model, ONE_EACH, "x").make(40, 6))

    with engine.running(engine.choose("emulator", profile="exact"), log_dir=tmp_path) as served:
        answer = asyncio.run(run(served))
    assert (answer.prompt_tokens, answer.output_tokens, len(answer.times_s)) == (45, 6, 6)
    assert (answer.tpot_s or 0) > 0.005
