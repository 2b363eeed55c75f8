"""Clients that come, ask, and leave in every way: `python -m benchmarks.scale.churn PORT CLIENTS [KIND …]`.

Each asks again as soon as its request has ended, on the same connection or a new one. `report` tells how many
ended how since the last report; told `rest`, they finish what they have begun and wait for `go`.
"""

import asyncio
import contextlib
import sys
from collections import Counter
from random import Random

import uvloop

from benchmarks.scale.child import Figures, obey
from benchmarks.scale.trial import WHOLE, post, stream

KINDS = {"whole": 6, "streamed": 6, "left in the stream": 3, "left waiting": 3, "half a request": 1}
"""What a client does, and how often."""
PAUSE_S = 0.02
"""After a refusal."""


class Client:
    """One of them."""

    def __init__(self, port: int, kinds: list[str], random: Random, ended: Counter[str]) -> None:
        self._port = port
        self._kinds = kinds
        self._weights = [KINDS[kind] for kind in kinds]
        self._random = random
        self._ended = ended
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, going: asyncio.Event, busy: set["Client"]) -> None:
        """Until cancelled."""
        while True:
            await going.wait()
            busy.add(self)
            (kind,) = self._random.choices(self._kinds, self._weights)
            try:
                status = await self._one(kind)
            except (OSError, asyncio.IncompleteReadError):
                self._hang_up()
                status = "broken"
            self._ended[f"{kind}: {status}"] += 1
            if self._random.random() < 0.1:
                self._hang_up()
            busy.discard(self)
            if status in ("429", "503"):
                await asyncio.sleep(PAUSE_S * self._random.random())

    async def _one(self, kind: str) -> str:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        asked = self._asked(kind)
        if kind == "half a request":
            writer.write(asked[: self._random.randrange(20, len(asked))])
            await asyncio.sleep(0.005)
            return self._hang_up()
        writer.write(asked)
        if kind == "left waiting":
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self._answer(reader, 1 << 30), 0.03 * self._random.random())
            return self._hang_up()
        return await self._answer(reader, 3 if kind == "left in the stream" else 1 << 30)

    def _asked(self, kind: str) -> bytes:
        body = stream(20, 3) if "stream" in kind or kind == "left waiting" else WHOLE
        return post(body)

    async def _answer(self, reader: asyncio.StreamReader, pieces: int) -> str:
        """The status; after so many chunks of a stream it hangs up."""
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length: " in head:
            length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
        else:
            for _ in range(pieces):
                size = int((await reader.readuntil(b"\r\n")).strip(), 16)
                await reader.readexactly(size + 2)
                if not size:
                    break
            else:
                self._hang_up()
        if b"connection: close" in head:
            self._hang_up()
        return head[9:12].decode()

    def _hang_up(self) -> str:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
        return "left"


async def main(port: int, clients: int, kinds: list[str]) -> None:
    """Obeys."""
    ended: Counter[str] = Counter()
    going, busy = asyncio.Event(), set[Client]()
    going.set()
    everyone = [Client(port, kinds or list(KINDS), Random(seed), ended) for seed in range(clients)]
    running = [asyncio.create_task(client.run(going, busy)) for client in everyone]

    async def report(_: list[str]) -> Figures:
        told = dict(ended)
        ended.clear()
        return {"ended": sum(told.values()), "how": told}

    async def rest(_: list[str]) -> Figures:
        going.clear()
        while busy:  # noqa: ASYNC110 - an event would be one more thing for each client to set
            await asyncio.sleep(0.01)
        return {}

    async def go(_: list[str]) -> Figures:
        going.set()
        return {}

    try:
        await obey({"report": report, "rest": rest, "go": go})
    finally:
        for task in running:
            task.cancel()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
