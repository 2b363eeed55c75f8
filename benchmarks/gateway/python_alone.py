"""What the gateway's Python costs by itself: `python -m benchmarks.gateway.python_alone [--batches 1000]`.

Stand-ins for the transports on both sides take what is written and give back prepared bytes, so that neither
kernel nor event loop is in the figures, and a change of a microsecond shows. The smallest batch counts: what
disturbs only adds.
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from io import StringIO

from uvicorn.server import ServerState

from benchmarks.gateway.engine import END, HEAD, LAST, PIECE, USAGE_PIECE, WHOLE
from benchmarks.python_build import python_build
from gateway.app import Gateway
from gateway.client_connection import ClientConnection
from gateway.log import LogWriter, logger
from gateway.settings import Settings
from gateway.upstream_connection import EngineConnection

IN_A_BATCH = 20
BODY = b'{"model":"bench","messages":[{"role":"user","content":"%b"}]%b}'


class StandIn(asyncio.Transport):
    """Takes everything at once. written: the last thing."""

    written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written = bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def write_eof(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


def request(more: bytes = b"") -> bytes:
    """As the load of the benchmark sends it."""
    body = BODY % (b"y" * 200, more)
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer sk-bench\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    )


def gateway(**settings: object) -> Gateway:
    """One without sockets, on the running loop."""
    writer = LogWriter(StringIO())
    return Gateway(Settings.model_validate(settings), writer, logger(writer, "warning"))


def client_of(served_by: Gateway) -> ClientConnection:
    """A client's connection to it."""
    connection = ClientConnection(None, ServerState(), {"listener": served_by.listener})  # type: ignore[arg-type]  # unused
    connection.connection_made(StandIn())
    return connection


def engine_of(asked_by: Gateway) -> EngineConnection:
    """A connection to its engine, idle."""
    connection = EngineConnection(asyncio.get_running_loop(), asked_by.upstream, 30.0)
    connection.connection_made(StandIn())
    asked_by.upstream.open.add(connection)
    asked_by.upstream.give_back(connection)
    return connection


def smallest_us(happens: Callable[[], None], batches: int) -> float:
    """Of one call, over batches."""
    least_s = float("inf")
    for _ in range(batches):
        before_s = time.thread_time()
        for _ in range(IN_A_BATCH):
            happens()
        least_s = min(least_s, time.thread_time() - before_s)
    return least_s / IN_A_BATCH * 1e6


def served() -> Callable[[], None]:
    """One whole answer of 1 KB."""
    running = gateway(max_active=10)
    client, engine = client_of(running), engine_of(running)
    asking = request()

    def happens() -> None:
        client.data_received(asking)
        engine.data_received(WHOLE)

    return happens


def refused() -> Callable[[], None]:
    """One 429: the only slot is held."""
    running = gateway(max_active=1, queue_max=0)
    holding, client = client_of(running), client_of(running)
    engine_of(running)
    asking = request()
    holding.data_received(asking)
    return lambda: client.data_received(asking)


def relayed() -> Callable[[], None]:
    """One whole chunk of a stream."""
    running = gateway(max_active=10)
    client, engine = client_of(running), engine_of(running)
    client.data_received(request(b',"stream":true'))
    engine.data_received(HEAD + PIECE)
    return lambda: engine.data_received(PIECE)


def relayed_fast() -> Callable[[], None]:
    """A stream of 64 chunks that comes in four reads, of which one chunk is 1/64."""
    running = gateway(max_active=10)
    client, engine = client_of(running), engine_of(running)
    asking = request(b',"stream":true')

    def happens() -> None:
        client.data_received(asking)
        engine.data_received(HEAD + 16 * PIECE)
        engine.data_received(16 * PIECE)
        engine.data_received(16 * PIECE)
        engine.data_received(15 * PIECE + LAST + USAGE_PIECE + END)

    return happens


async def main(batches: int) -> None:
    """Prints the table."""
    print(f"{python_build()}; smallest of {batches} batches of {IN_A_BATCH}")
    for name, made in (("1 KB request", served), ("refusal", refused), ("streamed chunk", relayed)):
        print(f"{name}: {smallest_us(made(), batches):.2f} µs")
    print(f"chunk of a fast stream: {smallest_us(relayed_fast(), batches) / 64:.2f} µs")


if __name__ == "__main__":
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--batches", type=int, default=1000)
    asyncio.run(main(flags.parse_args().batches))
