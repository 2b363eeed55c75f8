"""The live page's memory: one point a second of what the client and the servers say."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import gevent

from loadtests.reach.endpoint import Endpoint
from loadtests.recording import scrape
from loadtests.recording.live import LastSeconds, Live

_KEPT = 3600


@dataclass(frozen=True, slots=True)
class Point:
    """One second of a run; None for what a server does not tell.

    t_s: run time. due_per_s: requests that became due since the last point. last: of those that ended
    lately; then slots and places as the servers tell them.
    """

    t_s: float
    due_per_s: float
    in_flight: int
    last: LastSeconds
    gateway_active: float | None = None
    gateway_queue: float | None = None
    engine_running: float | None = None
    engine_waiting: float | None = None


class Series:
    """Points of the current run, gathered by a greenlet."""

    def __init__(self, gateway_metrics: Endpoint, engine_metrics: Endpoint | None) -> None:
        """Metrics pages; None for none."""
        named = ((gateway_metrics, scrape.GATEWAY), (engine_metrics, scrape.ENGINE))
        self._pages = [scrape.Page(page, wanted) for page, wanted in named if page is not None]
        self.points: deque[Point] = deque(maxlen=_KEPT)
        self._dropped = 0

    def since(self, first: int) -> tuple[int, list[Point]]:
        """Points from number `first` on (0: the run's first) as far as kept, and the first one's number."""
        first = max(first, self._dropped)
        return first, list(islice(self.points, first - self._dropped, None))

    def run(self, live: Live, start_s: float, ended: Callable[[], bool]) -> None:
        """Gather until `ended()`; one last point after it."""
        last_due = 0
        last = False
        while not last:
            last = ended()
            now_s = time.monotonic() - start_s
            last_seconds, due = live.last_seconds(now_s), live.due
            self._dropped += len(self.points) == _KEPT
            self.points.append(
                Point(round(now_s, 2), float(due - last_due), live.in_flight, last_seconds, **self._gauges())
            )
            last_due = due
            gevent.sleep(max(0.05, 1.0 - (time.monotonic() - start_s - now_s)))
        for page in self._pages:
            page.close()

    def _gauges(self) -> dict[str, float]:
        pages = [page.read() for page in self._pages]
        return {name: value for page in pages for name, value in page.items()}
