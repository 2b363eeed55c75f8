"""What goes to a slow place: a bounded queue, and a thread behind it. Who puts something in never waits."""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

ROOM = 10_000
MOST_AT_ONCE = 256
STOPS_WITHIN_S = 2.0

T = TypeVar("T")


class BackgroundWriter(Generic[T]):
    """Hands what was put in to `write`, in order, from a thread of its own; counts what it had to drop.

    write: gets at most MOST_AT_ONCE at a time; must not raise. every_s: after a queue that was emptied, rests
    for so long, so that many that come meanwhile are one call and wake nobody. idle_s: where nothing comes
    for so long, `write` gets an empty sequence; None for never.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], None],
        name: str,
        every_s: float = 0.0,
        idle_s: float | None = None,
    ) -> None:
        self._write = write
        self._every_s = every_s
        self._idle_s = idle_s
        self._queue: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name=name, daemon=True)
        self.dropped = 0

    def start(self) -> None:
        self._thread.start()

    def put(self, item: T) -> None:
        """Takes it, or drops it where ROOM others wait."""
        if self._queue.qsize() >= ROOM:
            self.dropped += 1
        else:
            self._queue.put(item)

    def stop(self) -> bool:
        """Writes what is queued, for at most STOPS_WITHIN_S; whether that was enough."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join(STOPS_WITHIN_S)
        return not self._thread.is_alive()

    def _write_all(self) -> None:
        ended = False
        while not ended:
            batch, ended = self._next()
            self._write(batch)
            if self._every_s and self._queue.empty():
                self._stopping.wait(self._every_s)

    def _next(self) -> tuple[list[T], bool]:
        """What is there, waiting for the first of it; and whether it is the last."""
        batch: list[T] = []
        try:
            item = self._queue.get(timeout=self._idle_s)
            while item is not None:
                batch.append(item)
                if len(batch) == MOST_AT_ONCE:
                    return batch, False
                item = self._queue.get_nowait()
        except queue.Empty:
            return batch, False
        return batch, True
