"""A queue too long for the files that may be open: `python -m benchmarks.scale.queue_alone COUNT`.

The gateway's own objects on a loop of its own, with stand-ins for the transports: everything but the kernel's
part. Prints the rows as JSON lines.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from random import Random

import psutil
import uvloop

from benchmarks.gateway.engine import WHOLE
from benchmarks.gateway.without_sockets import client_of, engine_of, gateway, request
from benchmarks.scale.child import spread_ms
from benchmarks.scale.table import Row, Spread
from gateway.app import Gateway
from gateway.client_connection import ClientConnection
from gateway.collector import QuietCollector
from gateway.limits import QueueOrder

AT_ONCE = 50
"""Requests that come in one turn of the loop."""
WATCH_S = 0.005
MANY = 1_000
"""Of which the mean is taken."""


class Watch:
    """How late a timer of 5 ms is."""

    def __init__(self) -> None:
        self._late_s: list[float] = []
        self._loop = asyncio.get_running_loop()
        self._due_s = 0.0

    def start(self) -> None:
        """From here on."""
        self._late_s = []
        self._due_s = time.perf_counter() + WATCH_S
        self._loop.call_later(WATCH_S, self._wake)

    def _wake(self) -> None:
        self._late_s.append(max(0.0, time.perf_counter() - self._due_s))
        self._due_s = time.perf_counter() + WATCH_S
        self._loop.call_later(WATCH_S, self._wake)

    def told(self) -> Spread:
        """Since the last time."""
        late_s, self._late_s = self._late_s, []
        return spread_ms(late_s)


class Line:
    """A gateway whose only slot is held, and those who wait for it."""

    def __init__(self, count: int) -> None:
        patience = {"queue_timeout_s": 3000, "request_timeout_s": 3600}
        self.gateway: Gateway = gateway(max_active=1, queue_max=count, **patience)
        self.gateway.listener.max_connections = 2 * count + MANY  # the limit on files would bound it
        self.engine = engine_of(self.gateway)
        self.asking = request()
        self.clients: list[ClientConnection] = []
        client_of(self.gateway).data_received(self.asking)

    async def fill(self, count: int) -> float:
        """Until so many wait. Returns the CPU time."""
        spent_s = 0.0
        while self.gateway.room.admission.queued < count:
            before_s = time.thread_time()
            for _ in range(AT_ONCE):
                client = client_of(self.gateway)
                client.data_received(self.asking)
                self.clients.append(client)
            spent_s += time.thread_time() - before_s
            await asyncio.sleep(0)
        return spent_s

    async def leave(self, number: int, random: Random) -> float:
        """So many of them, from anywhere. Returns the CPU time."""
        spent_s = 0.0
        for _ in range(number):
            place = random.randrange(len(self.clients))
            self.clients[place], self.clients[-1] = self.clients[-1], self.clients[place]
            leaving = self.clients.pop()
            before_s = time.thread_time()
            leaving.connection_lost(None)
            spent_s += time.thread_time() - before_s
            await asyncio.sleep(0)
        return spent_s

    async def serve(self, number: int) -> float:
        """So many of them, one after another. Returns the CPU time."""
        spent_s = 0.0
        for _ in range(number):
            before_s = time.thread_time()
            self.engine.data_received(WHOLE)
            spent_s += time.thread_time() - before_s
            await asyncio.sleep(0)
        return spent_s

    async def emptied(self, begin: Callable[[], None]) -> float:
        """Until nobody waits any more. Returns the CPU time."""
        before_s = time.thread_time()
        begin()
        while len(self.gateway.service.running) > 1:  # noqa: ASYNC110 - the gateway tells nobody
            await asyncio.sleep(0)
        spent_s = time.thread_time() - before_s
        for client in self.clients:
            client.connection_lost(None)
        self.clients.clear()
        return spent_s


@contextmanager
def collections() -> Iterator[list[float]]:
    """How long each run of the garbage collector took, seconds."""
    took_s: list[float] = []
    started_s = [0.0]

    def note(phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            started_s[0] = time.perf_counter()
        else:
            took_s.append(time.perf_counter() - started_s[0])

    gc.callbacks.append(note)
    try:
        yield took_s
    finally:
        gc.callbacks.remove(note)


async def rows(count: int) -> AsyncIterator[Row]:
    """All that is measured."""
    watch, me, random = Watch(), psutil.Process(), Random(1)
    QuietCollector(time.monotonic())
    watch.start()
    await asyncio.sleep(1.0)
    idle = watch.told()

    def row(
        event: str, each_us: float | None = None, alone_us: float | None = None, kb: float | None = None
    ) -> Row:
        return Row("waiting, without sockets", count, event, each_us, alone_us, kb, watch.told(), idle)

    few = Line(MANY)
    few_us = await few.fill(MANY) / MANY * 1e6
    few_served_us = await few.serve(MANY // 4) / MANY * 4e6
    line, before = Line(count), me.memory_info().rss
    watch.told()
    with collections() as took_s:
        spent_s = await line.fill(count)
    grown = me.memory_info().rss - before
    longest_ms = max(took_s, default=0.0) * 1e3
    yield row(
        f"come; longest garbage collection {longest_ms:.0f} ms",
        spent_s / count * 1e6,
        few_us,
        grown / count / 1e3,
    )
    yield row("is served, the next one begins", await line.serve(MANY) / MANY * 1e6, few_served_us)
    few_left_us = await few.leave(MANY // 4, random) / MANY * 4e6
    yield row(f"{MANY:,} leave, from anywhere", await line.leave(MANY, random) / MANY * 1e6, few_left_us)
    room = line.gateway.room
    for event, limits in (
        ("fifo to lifo", {"queue_order": QueueOrder.LIFO}),
        ("room for fewer", {"queue_max": 10}),
    ):
        room.resize(room.admission.limits.changed(**limits))
        await asyncio.sleep(2 * WATCH_S)
        yield row(event)
    shorter = room.admission.limits.changed(queue_timeout_s=0.001, queue_max=count)
    waiting = room.admission.queued
    yield row("all have waited too long", await line.emptied(lambda: room.resize(shorter)) / waiting * 1e6)
    room.resize(shorter.changed(queue_timeout_s=3000.0))
    await line.fill(count)
    watch.told()
    yield row("all are refused: the gateway drains", await line.emptied(room.drain) / count * 1e6)


async def main(count: int) -> None:
    """Prints them."""
    async for row in rows(count):
        print(json.dumps(row.values()), flush=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
