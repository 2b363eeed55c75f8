"""Many connections at once: `python -m benchmarks.scale.crowd PORT BODY`; an empty BODY asks `/health`.

Told `open N PER_S`, it opens so many more, each with one request, and says so when the last has sent it;
`close N` drops the oldest without a word; `report` tells what came in since the last report. `first` makes it
go before all others (see `child.before_others`).
"""

import asyncio
import sys
import time
from collections import Counter, deque
from typing import Any

import uvloop

from benchmarks.scale.child import Figures, before_others, obey, spread_ms
from benchmarks.scale.trial import post

ONE_ADDRESS = 20_000
"""Connections from one address: an address has some 28,000 ports to give."""


class Tally:
    """What came in."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.gaps_s: list[float] = []
        self.chunks = self.answers = self.lost = 0


class Member(asyncio.Protocol):
    """One connection. Times the pieces of a stream that have content."""

    __slots__ = ("_asking", "_crowd", "_last_s", "answered", "sent", "transport")

    def __init__(self, asking: bytes, crowd: "Crowd") -> None:
        self._asking = asking
        self._crowd = crowd
        self._last_s = 0.0
        self.answered = self.sent = False
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._asking)
        self.sent = True

    def data_received(self, data: bytes) -> None:
        tally = self._crowd.tally
        if not self.answered:
            self.answered = True
            tally.answers += 1
            tally.statuses[data[9:12].decode()] += 1
        pieces = data.count(b'"content"')
        if pieces:
            now_s = time.perf_counter()
            if self._last_s:
                tally.gaps_s.append(now_s - self._last_s)
            self._last_s = now_s
            tally.chunks += pieces

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.left(self)


class Crowd:
    """All of them."""

    def __init__(self, port: int, body: str) -> None:
        self._port = port
        self._asking = post(body) if body else b"GET /health HTTP/1.1\r\nhost: gateway\r\n\r\n"
        self._members: deque[Member] = deque()
        self._made = 0
        self._closing = False
        self.tally = Tally()

    def left(self, member: Member) -> None:
        """A connection is closed."""
        self.tally.lost += not self._closing and member.sent

    async def open(self, words: list[str]) -> Figures:
        """N connections, PER_S a second at most."""
        count, per_s = int(words[0]), float(words[1])
        started_s = time.perf_counter()
        for batch in range(0, count, 50):
            await asyncio.gather(*(self._one() for _ in range(min(50, count - batch))))
            await asyncio.sleep(max(0.0, started_s + (batch + 50) / per_s - time.perf_counter()))
        return {"open": len(self._members), "took_s": time.perf_counter() - started_s}

    async def _one(self) -> None:
        member = Member(self._asking, self)
        self._members.append(member)
        beyond, self._made = self._made // ONE_ADDRESS, self._made + 1
        local = (f"127.0.0.{1 + beyond}", 0) if beyond else None
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: member, "127.0.0.1", self._port, local_addr=local)

    async def close(self, words: list[str]) -> Figures:
        """The N oldest."""
        self._closing = True
        for number in range(min(int(words[0]), len(self._members))):
            member = self._members.popleft()
            if member.transport is not None:
                member.transport.abort()
            if number % 200 == 199:
                await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        self._closing = False
        return {"open": len(self._members)}

    async def report(self, _: list[str]) -> Figures:
        """Since the last one."""
        tally, self.tally = self.tally, Tally()
        return {
            "open": len(self._members),
            "answers": tally.answers,
            "statuses": dict(tally.statuses),
            "chunks": tally.chunks,
            "lost": tally.lost,
            "gaps": spread_ms(tally.gaps_s),
        }

    async def first(self, _: list[str]) -> Figures:
        """From here on this process goes before others."""
        before_others()
        return {}


async def main(port: int, body: str) -> None:
    """Obeys."""
    crowd = Crowd(port, body)
    await obey({"open": crowd.open, "close": crowd.close, "report": crowd.report, "first": crowd.first})


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
