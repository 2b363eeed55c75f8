"""One system call less per answer: its head leaves together with what follows it."""

import asyncio
from collections.abc import Callable

CHUNKED = b"transfer-encoding: chunked\r\n"


class Cork:
    """What uvicorn's request cycle writes to in place of the transport.

    uvicorn writes head and body apart, and each write is a system call that wakes the client. Nothing here
    sends a head without a body right behind it, so the head is held back until then; not so for answers to
    HEAD, which have none (`has_body`). on_close: called in place of the transport's `close`, when everything
    is written.
    """

    __slots__ = ("_head", "_on_close", "_write", "is_closing")

    def __init__(self, transport: asyncio.Transport, on_close: Callable[[], None], has_body: bool) -> None:
        self._write = transport.write
        self._on_close = on_close
        self._head: bytes | None = None if has_body else b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """The first write is the head, except for an interim `100 Continue`."""
        if self._head:
            self._write(self._head + data)
            self._head = b""
        elif self._head is None and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
        else:
            self._write(data)

    def close(self) -> None:
        """After whatever is still held."""
        if self._head:
            self._write(self._head)
            self._head = b""
        self._on_close()


class PlainCork(Cork):
    """The same for an HTTP/1.0 client, which does not know chunks: the end of the connection, which uvicorn
    closes after every answer to such a client, is the end of the body.

    It relies on uvicorn writing a head in one piece, and each chunk in one piece.
    """

    __slots__ = ("_chunked",)

    def __init__(self, transport: asyncio.Transport, on_close: Callable[[], None]) -> None:
        super().__init__(transport, on_close, has_body=True)
        self._chunked: bool | None = None

    def write(self, data: bytes) -> None:
        """The first write is the head: no interim answer goes to such a client."""
        if self._chunked is None:
            self._chunked = CHUNKED in data
            super().write(data.replace(CHUNKED, b"", 1))
            return
        piece = _content(data) if self._chunked else data
        if piece:
            super().write(piece)


def _content(chunk: bytes) -> bytes:
    size, _, rest = chunk.partition(b"\r\n")
    return rest[: int(size, 16)] if size else b""
