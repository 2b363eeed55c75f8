"""A cheap engine for the benchmark: answers at once, or as a stream of `max_tokens` chunks, `seed`
milliseconds apart.

`python -m benchmarks.gateway.engine PORT`. Chunks are about 200 bytes. Each leaves by a system call of its
own, at a booked absolute time with microsecond precision: streams that start at different times stay apart,
so the proxy is woken for nearly every chunk, which is the dear case. No admission, no parsing beyond what the
answer needs.
"""

import heapq
import selectors
import socket
import sys
import time
from itertools import count

import orjson

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
MODELS = b'{"object":"list","data":[{"id":"bench","object":"model","created":1,"owned_by":"bench"}]}'
USAGE = {"prompt_tokens": 8, "completion_tokens": 50, "total_tokens": 58}


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _event(choices: list[object], **more: object) -> bytes:
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "bench",
        "choices": choices,
    }
    return b"data: " + orjson.dumps(body | more) + b"\n\n"


def _plain(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )


PIECE = _chunked(_event([{"index": 0, "delta": {"content": "x" * 40}, "finish_reason": None}]))
LAST = _chunked(_event([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
USAGE_PIECE = _chunked(_event([], usage=USAGE))
END = _chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"
MESSAGE = {"role": "assistant", "content": "x" * 780}
WHOLE = _plain(
    orjson.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "bench",
            "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
            "usage": USAGE,
        }
    )
)


class Connection:
    """One keep-alive connection, one request at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.open = True
        self._held = b""

    def request(self) -> tuple[bytes, bytes] | None:
        """Head and body of a request, when one is complete now."""
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            self.open = False
            return None
        self._held += data
        head, found, rest = self._held.partition(b"\r\n\r\n")
        if not found:
            return None
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            if not rest.endswith(b"0\r\n\r\n"):
                return None
            body = b"".join(rest.split(b"\r\n")[1::2])
        else:
            at = lower.find(b"content-length:")
            length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(rest) < length:
                return None
            body = rest[:length]
        self._held = b""
        return head, body

    def send(self, data: bytes) -> None:
        """Writes all of it; a reader that does not keep up loses its connection."""
        try:
            self.sock.sendall(data)
        except OSError:
            self.open = False


class Engine:
    """All connections, and the chunks that are due, in one thread."""

    def __init__(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._listening.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ, None)
        self._due: list[tuple[float, int, Connection, float, int, bool, bool]] = []
        self._order = count()

    def serve(self) -> None:
        """Until killed. Below a millisecond it sleeps by the clock, because the selector counts in
        milliseconds.
        """
        while True:
            wait_s = self._due[0][0] - time.perf_counter() if self._due else 1.0
            if 0.0 < wait_s < 0.001:
                time.sleep(wait_s)
            for key, _ in self._selector.select(wait_s - 0.001 if wait_s > 0.001 else 0.0):
                if key.data is None:
                    self._accept()
                else:
                    self._read(key.data)
            while self._due and self._due[0][0] <= time.perf_counter():
                self._send_due()

    def _accept(self) -> None:
        sock, _ = self._listening.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(5.0)
        self._selector.register(sock, selectors.EVENT_READ, Connection(sock))

    def _read(self, connection: Connection) -> None:
        request = connection.request()
        if not connection.open:
            self._selector.unregister(connection.sock)
            connection.sock.close()
        elif request is not None:
            self._answer(connection, *request)

    def _answer(self, connection: Connection, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET"):
            connection.send(_plain(MODELS))
            return
        fields = orjson.loads(body)
        if not fields.get("stream"):
            connection.send(WHOLE)
            return
        usage = bool((fields.get("stream_options") or {}).get("include_usage"))
        gap_s = fields.get("seed", 0) / 1000
        self._book(time.perf_counter() + gap_s, connection, gap_s, fields.get("max_tokens", 50), usage, True)

    def _book(
        self, at_s: float, connection: Connection, gap_s: float, left: int, usage: bool, first: bool
    ) -> None:
        heapq.heappush(self._due, (at_s, next(self._order), connection, gap_s, left, usage, first))

    def _send_due(self) -> None:
        at_s, _, connection, gap_s, left, usage, first = heapq.heappop(self._due)
        if not connection.open:
            return
        if first:
            connection.send(HEAD + PIECE)
        elif left > 1:
            connection.send(PIECE)
        else:
            connection.send(LAST + (USAGE_PIECE if usage else b"") + END)
            return
        self._book(at_s + gap_s, connection, gap_s, left - 1 if not first else left, usage, False)


if __name__ == "__main__":
    Engine(int(sys.argv[1])).serve()
