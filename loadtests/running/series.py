"""The live page's memory: one point a second of what the client and the servers say."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import gevent

from loadtests.recording import scrape
from loadtests.recording.live import Live

_KEPT = 3600
Point = dict[str, float | None]


class Series:
    """Points of the current run, gathered by a greenlet."""

    def __init__(self, gateway_metrics: str, engine_metrics: str) -> None:
        self._urls = ((gateway_metrics, scrape.GATEWAY), (engine_metrics, scrape.ENGINE))
        self.points: deque[Point] = deque(maxlen=_KEPT)

    def run(self, live: Live, start_s: float, ended: Callable[[], bool]) -> None:
        """Gather until `ended()`; one last point after it."""
        last_due = 0
        last = False
        while not last:
            last = ended()
            now_s = time.monotonic() - start_s
            point: Point = {"t_s": round(now_s, 2), **live.last_seconds(now_s)}
            point["due_per_s"] = float(live.due - last_due)
            point["in_flight"] = float(live.in_flight)
            last_due = live.due
            for url, wanted in self._urls:
                if url:
                    point.update(scrape.read(url, wanted))
            self.points.append(point)
            gevent.sleep(max(0.05, 1.0 - (time.monotonic() - start_s - now_s)))
