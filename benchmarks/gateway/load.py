"""The benchmark's client: N connections, each asks again as soon as its answer is complete. One JSON line as
the result.

`python -m benchmarks.gateway.load URL CONNECTIONS SECONDS BODY`, BODY being the JSON to post. Times are
seconds; `first_s` is from sending a request to the first piece of its answer that holds content, `chunks`
counts events with content. A connection that is closed on it is opened again, and counted as lost.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import orjson
import uvloop


class Asker(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, tally: dict[str, Any], reopen: Callable[["Asker"], None]) -> None:
        self._request = request
        self._reopen = reopen
        self._tally = tally
        self._stream = b'"stream":true' in request
        self._held = b""
        self._first = True
        self.stopping = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.stopping:
            self._tally["lost"] += 1
            self._held = b""
            self._reopen(self)

    def _ask(self) -> None:
        self._sent_s = time.perf_counter()
        self._first = True
        self._held = b""
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._stream:
            self._tally["chunks"] += data.count(b'"content"')
            if self._first and b'"content"' in data:
                self._first = False
                self._tally["first_s"].append(time.perf_counter() - self._sent_s)
            self._held = (self._held + data)[-32:]
            complete = self._held.endswith(b"0\r\n\r\n")
        else:
            self._held += data
            complete = _complete(self._held)
        if complete:
            self._tally["requests"] += 1
            self._tally["ok"] += self._held.startswith(b"HTTP/1.1 200") or self._stream
            if self.stopping or _closes(self._held):
                self._transport.close()
            else:
                self._ask()

    def stop(self) -> None:
        """Ends now."""
        self.stopping = True
        self._transport.abort()


def _closes(held: bytes) -> bool:
    return b"connection: close\r\n" in held.partition(b"\r\n\r\n")[0].lower() + b"\r\n"


def _complete(held: bytes) -> bool:
    head, found, rest = held.partition(b"\r\n\r\n")
    if not found:
        return False
    lower = head.lower()
    at = lower.find(b"content-length:")
    if at < 0:
        return rest.endswith(b"0\r\n\r\n")
    return len(rest) >= int(lower[at + 15 :].split(b"\r\n", 1)[0])


async def run(url: str, connections: int, seconds: float, body: str) -> dict[str, Any]:
    """Loads the target and tallies."""
    loop = asyncio.get_running_loop()
    target = urlsplit(url)
    content = body.encode()
    head = (
        f"POST {target.path} HTTP/1.1\r\nhost: {target.netloc}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer sk-bench\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    tally: dict[str, Any] = {"requests": 0, "ok": 0, "chunks": 0, "lost": 0, "first_s": []}
    reopening: set[asyncio.Task[Any]] = set()

    def reopen(asker: Asker) -> None:
        opening = loop.create_connection(lambda: asker, target.hostname or "", target.port or 80)
        task = loop.create_task(opening)
        reopening.add(task)
        task.add_done_callback(reopening.discard)

    askers = []
    for _ in range(connections):
        askers.append(Asker(head.encode() + content, tally, reopen))
        reopen(askers[-1])
        await asyncio.sleep(0.5 / connections)
    await asyncio.sleep(0.5)
    for key in ("requests", "ok", "chunks"):
        tally[key] = 0
    tally["first_s"].clear()
    tally["started_s"] = time.monotonic()
    print("go", flush=True)
    await asyncio.sleep(seconds)
    result = {**tally, "first_s": sorted(tally["first_s"]), "ended_s": time.monotonic()}
    print(orjson.dumps(result).decode(), flush=True)
    for asker in askers:
        asker.stop()
    await asyncio.sleep(0.05)
    return result


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
