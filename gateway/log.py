"""Structured log lines, one JSON object each, written by a thread behind a bounded queue: a request never
waits for a disk.
"""

import logging
import queue
import sys
import threading
from typing import TextIO

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

ROOM = 10_000


class LogWriter:
    """Takes events, never blocks, counts what it had to drop."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._queue: queue.Queue[EventDict | None] = queue.Queue(ROOM)
        self._thread = threading.Thread(target=self._write_all, name="log-writer", daemon=True)
        self.dropped = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Writes what is queued, for at most two seconds."""
        try:
            self._queue.put(None, timeout=1.0)
        except queue.Full:
            return
        self._thread.join(1.0)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """The last structlog processor."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.dropped += 1
        raise structlog.DropEvent

    def _write_all(self) -> None:
        while (event := self._queue.get()) is not None:
            try:
                self._stream.write(orjson.dumps(event, default=str).decode() + "\n")
                if self._queue.empty():
                    self._stream.flush()
            except (OSError, ValueError):
                self.dropped += 1


def logger(writer: LogWriter, level: str) -> FilteringBoundLogger:
    """A structlog logger whose lines go through `writer`."""
    log: FilteringBoundLogger = structlog.wrap_logger(
        None,
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            writer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    return log


class Forward(logging.Handler):
    """Puts the server library's own log records into the same stream."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fault = str(record.exc_info[1]) if record.exc_info else None
        self._log.log(
            record.levelno, record.getMessage(), source=record.name, **({"error": fault} if fault else {})
        )
