"""What lanes cost a request: `python -m benchmarks.lanes.gateway_cost [--tenants 1000] [--batches 400]`.

The gateway's Python alone (`benchmarks.gateway.without_sockets`). Two gateways in one process, one without
lanes and one with as many tenants as asked, each with a key of its own, take turns batch by batch; the
requests go round the tenants. Told are the smallest batch of each and the median of the differences between
neighbours, µs of CPU a request.
"""

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from hashlib import sha256
from itertools import cycle

from benchmarks.gateway.engine import WHOLE
from benchmarks.gateway.without_sockets import client_of, engine_of, gateway, request
from gateway.lane import Lane, Lanes, PriorityClass
from gateway.lane_book import Clients, LaneBook

IN_A_BATCH = 25


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


def asking(tenants: int, lanes: LaneBook | None) -> Callable[[], None]:
    """What serves one whole answer of 1 KB, to the next tenant."""
    running = gateway(lanes, max_active=10, queue_order="fair")
    client, engine = client_of(running), engine_of(running)
    requests = cycle([request(b',"max_tokens":50', key(number)) for number in range(tenants)])

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
