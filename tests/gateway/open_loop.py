"""An open-loop client for tests: requests leave when they are due, whatever became of the ones before."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop


@dataclass(frozen=True)
class Ended:
    """status: 0 when the connection failed; took_s: from the due time to the end of the answer."""

    status: int
    took_s: float


async def _one(port: int, request: bytes, due_s: float) -> Ended:
    await asyncio.sleep(max(0.0, due_s - time.monotonic()))
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await reader.read(-1)
        writer.close()
    except OSError:
        return Ended(0, time.monotonic() - due_s)
    return Ended(int(answer[9:12] or b"0"), time.monotonic() - due_s)


async def _all(port: int, due_s: Sequence[float], requests: Sequence[bytes]) -> list[Ended]:
    start_s = time.monotonic() + 0.1
    tasks = [
        asyncio.create_task(_one(port, request, start_s + at_s))
        for at_s, request in zip(due_s, requests, strict=True)
    ]
    return list(await asyncio.gather(*tasks))


def offer(port: int, due_s: Sequence[float], requests: Sequence[bytes]) -> list[Ended]:
    """Sends `requests`, each at its due time (seconds from now, ascending) on a connection of its own."""
    return uvloop.run(_all(port, due_s, requests))
