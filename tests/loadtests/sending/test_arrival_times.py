"""Chunks have the time at which they arrived, though the process reads them later."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable

import gevent
import pytest

from loadtests.reach.endpoint import Endpoint
from loadtests.sending.answer import Answer
from loadtests.sending.client import Client
from loadtests.sending.reading import BatchReading, PromptReading, Reading
from loadtests.sending.request import request, request_head

_CHUNKS, _HELD_S = 5, 0.05
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"word"}}]}\n\n'
_END = b"data: [DONE]\n\n"


class _Server:
    """Writes one chunk each time that the reader says it is held up, and holds it for 50 ms more."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.settimeout(30)
        self.held, self.written = threading.Event(), threading.Event()
        self.writes_s: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> _Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)
        self.listening.close()

    def _serve(self) -> None:
        connection, _ = self.listening.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.recv(65536)
            connection.sendall(_HEAD)
            for event in [*[_EVENT] * _CHUNKS, _END]:
                self.held.wait(30)
                self.held.clear()
                before_s = time.monotonic()
                connection.sendall(_chunk(event))
                self.writes_s.append((before_s, time.monotonic()))
                time.sleep(_HELD_S)
                self.written.set()
            connection.sendall(b"0\r\n\r\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _asked(reading: Callable[[], Reading]) -> tuple[Answer, Client, list[tuple[float, float]]]:
    """An answer whose every chunk arrived while this thread was held up."""
    with _Server() as server:
        endpoint = Endpoint.parse(f"http://127.0.0.1:{server.listening.getsockname()[1]}")
        client, answer = Client(endpoint, reading=reading()), Answer()
        asking = gevent.spawn(client.exchange, request(request_head(endpoint), b"{}", "r-0"), answer)
        for count in range(_CHUNKS + 1):
            while answer.headers_s is None or len(answer.chunk_s) < count:
                gevent.sleep(0.001)
            server.held.set()
            server.written.wait(30)  # the whole hub waits, as when the process has other work
            server.written.clear()
        asking.join(30)
        client.close()
    return answer, client, server.writes_s


@pytest.mark.skipif(sys.platform != "linux", reason="stamps are Linux's")
def test_a_reader_that_is_held_up_has_the_times_of_arrival() -> None:
    answer, client, writes_s = _asked(lambda: BatchReading(0.001))
    assert answer.complete
    assert answer.done
    for at_s, (before_s, after_s) in zip(answer.chunk_s, writes_s[:_CHUNKS], strict=True):
        assert before_s - 1e-3 < at_s < after_s + 1e-3
    # Not of every read: the kernel begins to stamp some time after the first socket asks for it.
    assert client.times.kernel >= _CHUNKS


def test_without_stamps_the_time_is_that_of_the_reading_and_said_to_be() -> None:
    answer, client, writes_s = _asked(PromptReading)
    assert answer.complete
    assert answer.done
    for at_s, (_, after_s) in zip(answer.chunk_s, writes_s[:_CHUNKS], strict=True):
        assert at_s > after_s + _HELD_S / 2
    assert client.times.kernel == 0
    assert client.times.reader >= _CHUNKS
