"""Where records go: onto disk at once, to the master when there is one, then to whoever counts them."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson

from loadtests.record import RequestRecord
from loadtests.recording.live import Live
from loadtests.recording.run_folder import RecordFile

Count = Callable[[RequestRecord], None]
"""Told of each record after it is on disk."""


class LocalRecorder:
    """Takes the records of a sender in this process."""

    def __init__(self, file: RecordFile, live: Live, count: Count, start_s: float) -> None:
        self._file = file
        self._live = live
        self._count = count
        self._start_s = start_s

    def take(self, record: RequestRecord) -> None:
        """One record, to disk first."""
        self._file.append(record.to_json())
        self._live.add(record, time.monotonic() - self._start_s)
        self._count(record)

    def flush(self) -> None:
        """Nothing is held back here."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class WorkerRecorder:
    """Takes the records of a worker: onto its own disk at once, to the master in batches."""

    def __init__(self, file: RecordFile, ship: Callable[[bytes], None], count: Count) -> None:
        """`ship` takes whole lines to the master."""
        self._file = file
        self._ship = ship
        self._count = count
        self._batch: list[bytes] = []
        self.recorded = 0

    def take(self, record: RequestRecord) -> None:
        """One record."""
        line = record.to_json()
        self._file.append(line)
        self._batch.append(line)
        self.recorded += 1
        self._count(record)

    def flush(self) -> None:
        """Ship what has gathered."""
        if self._batch:
            batch, self._batch = self._batch, []
            self._ship(b"\n".join(batch) + b"\n")

    def close(self) -> None:
        """Ship the rest; the file stays until the master says that it has everything."""
        self.flush()
        self._file.close()

    def forget(self) -> None:
        """The master has everything: the spool may go."""
        self._file.path.unlink(missing_ok=True)


class MasterRecorder:
    """Gathers the records of all workers in one file, each request once."""

    def __init__(self, file: RecordFile, live: Live, start_s: float) -> None:
        self._file = file
        self._live = live
        self._start_s = start_s
        self.recorded: set[int] = set()

    def take_lines(self, lines: bytes) -> None:
        """Whole lines of a worker; what is there already is left out."""
        now_s = time.monotonic() - self._start_s
        for line in lines.splitlines():
            record = RequestRecord.from_json(orjson.loads(line))
            if record.i not in self.recorded:
                self.recorded.add(record.i)
                self._file.append(line)
                self._live.add(record, now_s)

    def take(self, record: RequestRecord) -> None:
        """A record made here, for a request whose worker died."""
        self.take_lines(record.to_json() + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
