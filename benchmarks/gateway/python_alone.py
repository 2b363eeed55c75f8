"""What the gateway's Python costs by itself: `python -m benchmarks.gateway.python_alone [--batches 1000]`.

Neither kernel nor event loop is in the figures, so that a change of a microsecond shows. The smallest batch
counts: what disturbs only adds.
"""

import argparse
import asyncio
import time
from collections.abc import Callable

from benchmarks.gateway.engine import END, HEAD, LAST, PIECE, USAGE_PIECE, WHOLE
from benchmarks.gateway.without_sockets import client_of, engine_of, gateway, request
from benchmarks.python_build import python_build

IN_A_BATCH = 20


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
