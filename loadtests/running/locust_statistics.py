"""Locust's own table of requests, kept up from our records."""

from __future__ import annotations

import math

from loadtests.outcome import Outcome
from loadtests.record import RequestRecord
from loadtests.running.locust_types import LocustEnvironment


class OutcomeError(Exception):
    """A request that did not end ok, for Locust's failure table: its text is the outcome, so
    the table stays small."""


class LocustStatistics:
    """Locust's own rows: one `request` event per request sent, and rows for TTFT and TPOT beside the totals.

    More `request` events would count as requests; an entry's `log` touches its own row only.
    """

    def __init__(self, environment: LocustEnvironment) -> None:
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
            response_length=_size(record),
            exception=None if record.outcome is Outcome.OK else OutcomeError(record.outcome),
            context={},
        )
        if record.outcome is Outcome.OK:
            self._row("chat TTFT", record.ttft_s)
            self._row("chat TPOT", record.tpot_s)

    def _row(self, name: str, value_s: float | None) -> None:
        if value_s is not None:
            self._environment.stats.entries[(name, "SSE")].log(value_s * 1e3, 0)


def _size(record: RequestRecord) -> float:
    """What Locust's column of sizes adds up: output tokens. A served answer whose tokens nobody told makes
    the mean unknown (nan), not smaller."""
    if record.output_tokens is not None:
        return record.output_tokens
    return math.nan if record.outcome is Outcome.OK else 0
