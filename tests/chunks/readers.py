"""The product's readers of a stream, each fed the same pieces, the k-th of them at second k."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from experiments.observe import ask
from gateway import stream_relay
from gateway.call import Call
from gateway.chunked import content, whole_chunks
from gateway.engine_failure import EngineFailure
from gateway.metrics import Metrics
from gateway.outcome import Outcome as GatewayOutcome
from gateway.outcome import Route
from gateway.refusal import Refusal
from gateway.relays import Relays
from gateway.request_body import ChatRequest
from gateway.served import CHAT
from gateway.settings import Settings
from gateway.ticket import NOTHING_KNOWN
from loadtests.outcome import Outcome
from loadtests.reach.endpoint import Endpoint
from loadtests.sending.answer import Answer, BrokenAnswerError

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass
class Clock:
    """Stands still at the piece that is being read."""

    now_s: float = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now_s


@dataclass(frozen=True, slots=True)
class GatewayReading:
    """What the gateway made of a stream, and what its client got of it."""

    outcome: GatewayOutcome | None
    first_s: float | None
    tokens: int
    prompt_tokens: int
    sent: bytes


def framed(piece: bytes) -> bytes:
    """A piece of a chunked body; an empty one would be its end."""
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


def load(pieces: Sequence[bytes]) -> tuple[Answer, Outcome]:
    """As the load generator reads it."""
    answer = Answer()
    answer.feed(HEAD, 0.0)
    try:
        for second, piece in enumerate(pieces):
            answer.feed(framed(piece), float(second))
        answer.feed(b"0\r\n\r\n", float(len(pieces)))
    except BrokenAnswerError as error:  # as its clients do
        answer.error_text = f"unreadable answer: {error}"
    return answer, answer.outcome()[0]


def gateway(pieces: Sequence[bytes], monkeypatch: pytest.MonkeyPatch, n: int = 1) -> GatewayReading:
    """As the gateway relays it."""
    return _relayed(pieces, monkeypatch, n)


class _Sent:
    """A client that keeps what it is sent."""

    gone = stalled = False

    def __init__(self) -> None:
        self.body: list[bytes] = []

    def ask_for_body(self) -> None:
        """Never."""

    def answer(self, status: int, fields: bytes, body: bytes) -> None:
        self.body.append(body)

    def begin(self, status: int, fields: bytes, first: bytes) -> None:
        self.body.append(first)

    def send(self, data: bytes) -> None:
        self.body.append(data)

    def send_chunks(self, chunks: bytes) -> None:
        self.body.append(content(chunks))

    def end(self, last: bytes = b"") -> None:
        self.body.append(last)

    def close_after_answer(self) -> None:
        """Nothing."""

    def abort(self) -> None:
        """Nothing."""


def _relayed(pieces: Sequence[bytes], monkeypatch: pytest.MonkeyPatch, n: int) -> GatewayReading:
    clock = Clock()
    monkeypatch.setattr(stream_relay, "time", clock)
    metrics = Metrics(lambda: ())
    call, client, settings = Call(Route.CHAT, b"request", 1), _Sent(), Settings.model_validate({})
    request = ChatRequest(CHAT, b"{}", stream=True, slots=n, facts=NOTHING_KNOWN, usage_hidden=False)
    head = [(b"content-type", b"text/event-stream")]
    relays = Relays(settings, metrics, EngineFailure(settings.engine({})))
    relay = relays.of(200, head, dict(head), call, client, request)
    try:
        for second, piece in enumerate(pieces):
            clock.now_s = float(second)
            chunks = framed(piece)
            start = whole_chunks(chunks)
            if piece and not (start and relay.chunks_arrived(chunks, start, clock.now_s)):
                relay.arrived(piece, clock.now_s)
            if relay.over:
                break
        relay.ended()
    except Refusal as refusal:
        call.outcome = refusal.outcome
        client.end(relay.unsent())
    relay.close()
    tokens = metrics.tokens
    sent = b"".join(client.body)
    return GatewayReading(call.outcome, call.first_s, tokens["completion"], tokens["prompt"], sent)


def probe(pieces: Sequence[bytes], monkeypatch: pytest.MonkeyPatch) -> ask.StreamedAnswer:
    """As the probe and a calibration read it. Raises ask.AskFailed."""
    return asyncio.run(_asked(pieces, monkeypatch))


async def _asked(pieces: Sequence[bytes], monkeypatch: pytest.MonkeyPatch) -> ask.StreamedAnswer:
    clock = Clock()
    monkeypatch.setattr(ask, "time", clock)

    class Wire(asyncio.Transport):
        """Answers a request at once, piece by piece."""

        def __init__(self, protocol: asyncio.Protocol) -> None:
            super().__init__()
            self._protocol = protocol

        def write(self, data: bytes | bytearray | memoryview) -> None:
            self._protocol.data_received(HEAD)
            for second, piece in enumerate(pieces):
                clock.now_s = float(second)
                self._protocol.data_received(framed(piece))
            self._protocol.data_received(b"0\r\n\r\n")

        def abort(self) -> None:
            self._protocol.connection_lost(None)

    async def create_connection(make: Any, *_: object, **__: object) -> tuple[Wire, asyncio.Protocol]:
        protocol = make()
        wire = Wire(protocol)
        protocol.connection_made(wire)
        return wire, protocol

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", create_connection)
    async with ask.Asker(Endpoint.parse("http://127.0.0.1:1")) as asker:
        return await asker.ask(b"{}")
