"""Where records go: onto disk at once, to the master when there is one, and into Locust's statistics and
the live view."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson

from loadtests.outcome import Outcome
from loadtests.record import RequestRecord
from loadtests.recording.live import Live
from loadtests.recording.run_folder import RecordFile

MESSAGE = "headroom_records"


class OutcomeError(Exception):
    """A request that did not end ok, for Locust's failure table: its text is the outcome, so the table
    stays small."""


class LocustStatistics:
    """Locust's own rows: one `request` event per request sent, and rows for TTFT and TPOT beside the totals.

    More `request` events would count as requests; an entry's `log` touches its own row only.
    """

    def __init__(self, environment: Any) -> None:
        self._environment = environment

    def add(self, record: RequestRecord) -> None:
        """Count a record, unless nothing was sent."""
        if record.sent_s is None:
            return
        end_s = record.finished_s if record.finished_s is not None else record.last_s
        self._environment.events.request.fire(
            request_type="POST",
            name="chat [shed]" if record.outcome.shed else "chat",
            response_time=None if end_s is None else (end_s - record.due_s) * 1e3,
            response_length=record.output_tokens or 0,
            exception=None if record.outcome is Outcome.OK else OutcomeError(record.outcome),
            context={},
        )
        if record.outcome is Outcome.OK:
            self._row("chat TTFT", record.ttft_s)
            self._row("chat TPOT", record.tpot_s)

    def _row(self, name: str, value_s: float | None) -> None:
        if value_s is not None:
            self._environment.stats.entries[(name, "SSE")].log(value_s * 1e3, 0)


class LocalRecorder:
    """Takes the records of a sender in this process."""

    def __init__(self, file: RecordFile, live: Live, statistics: LocustStatistics, start_s: float) -> None:
        self._file = file
        self._live = live
        self._statistics = statistics
        self._start_s = start_s

    def take(self, record: RequestRecord) -> None:
        """One record, to disk first."""
        self._file.append(record.to_json())
        self._live.add(record, time.monotonic() - self._start_s)
        self._statistics.add(record)

    def flush(self) -> None:
        """Nothing is held back here."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class WorkerRecorder:
    """Takes the records of a worker: onto its own disk at once, to the master in batches."""

    def __init__(
        self, file: RecordFile, send: Callable[[str, dict[str, Any]], None], statistics: LocustStatistics
    ) -> None:
        self._file = file
        self._send = send
        self._statistics = statistics
        self._batch: list[bytes] = []
        self.recorded = 0

    def take(self, record: RequestRecord) -> None:
        """One record."""
        line = record.to_json()
        self._file.append(line)
        self._batch.append(line)
        self.recorded += 1
        self._statistics.add(record)

    def flush(self) -> None:
        """Ship what has gathered."""
        if self._batch:
            batch, self._batch = self._batch, []
            self._send(MESSAGE, {"lines": b"\n".join(batch) + b"\n"})

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
        self.seen: set[int] = set()

    def take_lines(self, lines: bytes) -> None:
        """Whole lines of a worker; what is there already is left out."""
        now_s = time.monotonic() - self._start_s
        for line in lines.splitlines():
            record = RequestRecord.from_json(orjson.loads(line))
            if record.i not in self.seen:
                self.seen.add(record.i)
                self._file.append(line)
                self._live.add(record, now_s)

    def take(self, record: RequestRecord) -> None:
        """A record made here, for a request whose worker died."""
        self.take_lines(record.to_json() + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
