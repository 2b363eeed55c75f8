"""What lanes cost a request: `python -m benchmarks.lanes.gateway_cost [--tenants 1000] [--batches 400]`.

The gateway's Python alone, with stand-ins for the transports on both sides, which take what is written and
give back prepared bytes. Two gateways in one process, one without lanes and one with as many tenants as
asked, each with a key of its own, take turns batch by batch; the requests go round the tenants. Told are the
smallest batch of each and the median of the differences between neighbours, µs of CPU a request.
"""

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from hashlib import sha256
from io import StringIO
from itertools import cycle

from uvicorn.server import ServerState

from benchmarks.gateway.engine import WHOLE
from gateway.app import Gateway
from gateway.client_connection import ClientConnection
from gateway.lane import Lane, Lanes, PriorityClass
from gateway.lane_book import Clients, LaneBook
from gateway.log import LogWriter, logger
from gateway.settings import Settings
from gateway.upstream_connection import EngineConnection

IN_A_BATCH = 25
BODY = b'{"model":"bench","max_tokens":50,"messages":[{"role":"user","content":"%b"}]}' % (b"y" * 200)


class StandIn(asyncio.Transport):
    """Takes everything at once."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


def key(number: int) -> bytes:
    """Of a tenant."""
    return b"sk-%032d" % number


def book(tenants: int) -> LaneBook:
    """As many tenants, half of them in each of two classes, a quarter with a budget that is not used up."""
    lanes = tuple(
        Lane(f"tenant-{n}", ("now", "later")[n % 2], tokens_per_min=None if n % 4 else 1e12)
        for n in range(tenants)
    )
    clients = {lane.name: Clients(frozenset((sha256(key(n)).digest(),))) for n, lane in enumerate(lanes)}
    others = Lane("other", "later")
    return LaneBook(Lanes((PriorityClass("now", 1), PriorityClass("later")), (*lanes, others)), clients)


def asking(tenants: int, lanes: LaneBook | None, **settings: object) -> Callable[[], None]:
    """What serves one whole answer of 1 KB, to the next tenant."""
    writer = LogWriter(StringIO())
    made = Settings.model_validate({"max_active": 10, "queue_order": "fair", **settings})
    running = Gateway(made, writer, logger(writer, "warning"), lanes)
    state = {"listener": running.listener}
    client = ClientConnection(None, ServerState(), state)  # type: ignore[arg-type]  # of the config nothing is read
    client.connection_made(StandIn())
    engine = EngineConnection(asyncio.get_running_loop(), running.upstream, 30.0)
    engine.connection_made(StandIn())
    running.upstream.open.add(engine)
    running.upstream.give_back(engine)
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
    )
    requests = cycle([head % (key(number), len(BODY), BODY) for number in range(tenants)])

    def happens() -> None:
        client.data_received(next(requests))
        engine.data_received(WHOLE)

    return happens


def batch_us(happens: Callable[[], None]) -> float:
    """CPU of one call, over a batch."""
    before_s = time.thread_time()
    for _ in range(IN_A_BATCH):
        happens()
    return (time.thread_time() - before_s) / IN_A_BATCH * 1e6


async def main(tenants: int, batches: int) -> None:
    """Prints the figures."""
    plain, shared = asking(tenants, None), asking(tenants, book(tenants))
    gc.collect()
    gc.freeze()  # as the process does when it begins
    for _ in range(20):
        batch_us(plain), batch_us(shared)
    pairs = [(batch_us(plain), batch_us(shared)) for _ in range(batches)]
    without, with_lanes = (min(column) for column in zip(*pairs, strict=True))
    more = statistics.median(b - a for a, b in pairs)
    print(f"{tenants} tenants, {batches} pairs of batches of {IN_A_BATCH} requests, µs of CPU a request:")
    difference = with_lanes - without
    print(f"smallest batches: without lanes {without:.2f}, with them {with_lanes:.2f}: {difference:+.2f}")
    print(f"median of the differences: {more:+.2f}")


if __name__ == "__main__":
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--tenants", type=int, default=1000)
    flags.add_argument("--batches", type=int, default=400)
    options = flags.parse_args()
    asyncio.run(main(options.tenants, options.batches))
