"""One system call less per answer: its head leaves together with what follows it."""

import asyncio
from collections.abc import Callable


class Cork:
    """What uvicorn's request cycle writes to in place of the transport.

    uvicorn writes head and body apart, and each write is a system call that wakes the client. Nothing here
    sends a head without a body right behind it, so the head is held back until then; not so for answers to
    HEAD, which have none (`has_body`). `lingering`: `close` closes our side only and waits for the client's.
    """

    __slots__ = ("_close", "_half_close", "_head", "_write", "is_closing", "lingering")

    def __init__(self, transport: asyncio.Transport, half_close: Callable[[], None], has_body: bool) -> None:
        self._write = transport.write
        self._close = transport.close
        self._half_close = half_close
        self._head: bytes | None = None if has_body else b""
        self.is_closing = transport.is_closing
        self.lingering = False

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
        if self.lingering:
            self._half_close()
        else:
            self._close()
