"""Requests at a rate, whatever becomes of them: `python -m benchmarks.scale.storm PORT PER_S CONNECTIONS`.

Told `go` it asks, told `stop` it stops; `report` tells statuses since the last report. A connection asks
again when it is answered; where none is free, the request is not sent and counted as `late`.
"""

import asyncio
import sys
import time
from collections import Counter
from typing import Any

import uvloop

from benchmarks.scale.child import Figures, obey
from benchmarks.scale.trial import WHOLE, post

TICK_S = 0.002


class Asker(asyncio.Protocol):
    """One connection."""

    def __init__(self, free: list["Asker"], statuses: Counter[str]) -> None:
        self._free = free
        self._statuses = statuses
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._free.append(self)

    def data_received(self, data: bytes) -> None:
        # Such an answer is one packet on loopback.
        self._statuses[data[9:12].decode()] += 1
        self._free.append(self)


class Storm:
    """All of them."""

    def __init__(self, per_s: float) -> None:
        self._asking = post(WHOLE)
        self._per_s = per_s
        self._going = asyncio.Event()
        self.free: list[Asker] = []
        self.statuses: Counter[str] = Counter()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._going.wait()
            started_s, sent = time.perf_counter(), 0
            while self._going.is_set():
                await asyncio.sleep(TICK_S)
                due = int((time.perf_counter() - started_s) * self._per_s)
                for _ in range(due - sent):
                    if self.free:
                        self.free.pop().transport.write(self._asking)
                    else:
                        self.statuses["late"] += 1
                sent = due

    async def go(self, _: list[str]) -> Figures:
        """Begins."""
        self._going.set()
        return {}

    async def stop(self, _: list[str]) -> Figures:
        """Ends."""
        self._going.clear()
        await asyncio.sleep(0.1)
        return {}

    async def report(self, _: list[str]) -> Figures:
        """Since the last one."""
        told = dict(self.statuses)
        self.statuses.clear()
        return {"statuses": told}


async def main(port: int, per_s: float, connections: int) -> None:
    """Obeys."""
    storm = Storm(per_s)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Asker(storm.free, storm.statuses), "127.0.0.1", port)
    running = asyncio.create_task(storm.run())
    try:
        await obey({"go": storm.go, "stop": storm.stop, "report": storm.report})
    finally:
        running.cancel()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
