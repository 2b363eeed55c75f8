"""How long the gateway is deaf: `python -m benchmarks.scale.pinger PORT`.

Asks `/health` every 10 ms on one connection. One that is late stands for those that could not be asked
meanwhile, each of which would have waited the less the later it was due.
"""

import asyncio
import sys
import time

import uvloop

from benchmarks.scale.child import Figures, before_others, obey, spread_ms

EVERY_S = 0.01


class Pinger:
    """Asks from its making on."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._request = f"GET /health HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode()
        self._took_s: list[float] = []

    async def run(self) -> None:
        """Until cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        due_s = time.perf_counter()
        while True:
            due_s = max(due_s + EVERY_S, time.perf_counter())
            await asyncio.sleep(due_s - time.perf_counter())
            asked_s = time.perf_counter()
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            took_s = time.perf_counter() - asked_s
            while took_s > 0:
                self._took_s.append(took_s)
                took_s -= EVERY_S

    async def report(self, _: list[str]) -> Figures:
        """Since the last one."""
        took_s, self._took_s = self._took_s, []
        return {"n": len(took_s), **spread_ms(took_s)}


async def main(port: int) -> None:
    """Obeys."""
    before_others()
    pinger = Pinger(port)
    pinging = asyncio.create_task(pinger.run())
    try:
        await obey({"report": pinger.report})
    finally:
        pinging.cancel()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
