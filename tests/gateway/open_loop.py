"""An open-loop client for tests: requests leave when they are due, whatever became of the ones before."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import uvloop


@dataclass(frozen=True)
class Ended:
    """status: 0 when the connection failed. lag_s: due → sent; took_s: sent → end of the answer."""

    status: int
    lag_s: float
    took_s: float


class _Asking(asyncio.Protocol):
    def __init__(self, request: bytes, due_s: float) -> None:
        self._request = request
        self._due_s = due_s
        self._sent_s = 0.0
        self._got = b""
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._sent_s = time.monotonic()
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._got += data

    def connection_lost(self, exc: Exception | None) -> None:
        status = int(self._got[9:12] or b"0")
        self.ended.set_result(Ended(status, self._sent_s - self._due_s, time.monotonic() - self._sent_s))


async def _one(port: int, request: bytes, due_s: float) -> Ended:
    await asyncio.sleep(max(0.0, due_s - time.monotonic()))
    loop = asyncio.get_running_loop()
    try:
        _, asking = await loop.create_connection(lambda: _Asking(request, due_s), "127.0.0.1", port)
    except OSError:
        return Ended(0, time.monotonic() - due_s, 0.0)
    return await asking.ended


async def _all(port: int, due_s: Sequence[float], requests: Sequence[bytes]) -> list[Ended]:
    start_s = time.monotonic() + 0.1
    pairs = zip(due_s, requests, strict=True)
    tasks = [asyncio.create_task(_one(port, request, start_s + at_s)) for at_s, request in pairs]
    return list(await asyncio.gather(*tasks))


def offer(port: int, due_s: Sequence[float], requests: Sequence[bytes]) -> list[Ended]:
    """Sends `requests`, each at its due time (seconds from now, ascending) on a connection of its own."""
    return uvloop.run(_all(port, due_s, requests))
