"""Structured log lines, one JSON object each, written by a thread behind a bounded queue: a request never
waits for a disk.
"""

import logging
import sys
from collections.abc import Sequence
from typing import TextIO

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from gateway.background_writer import BackgroundWriter


class LogWriter:
    """Takes events, never blocks, counts what it had to drop."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._writer = BackgroundWriter(self._write, "log-writer")
        self._unwritten = 0

    @property
    def dropped(self) -> int:
        """Events that found no room, or could not be written."""
        return self._writer.dropped + self._unwritten

    def start(self) -> None:
        self._writer.start()

    def stop(self) -> None:
        """Writes what is queued, for at most two seconds."""
        self._writer.stop()

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """The last structlog processor."""
        self._writer.put(event)
        raise structlog.DropEvent

    def _write(self, events: Sequence[EventDict]) -> None:
        try:
            self._stream.write("".join(orjson.dumps(event, default=str).decode() + "\n" for event in events))
            self._stream.flush()
        except (OSError, ValueError):
            self._unwritten += len(events)


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
