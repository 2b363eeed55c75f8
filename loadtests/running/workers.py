"""The workers as the master sees them: who has a share of the run, who is done, lost, or came too late."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gevent
from gevent import Greenlet

from loadtests.running.locust_types import LocustRunner

if TYPE_CHECKING:
    from loadtests.running.lifecycle import Run

log = logging.getLogger("loadtests")
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class WorkersSeen:
    """How many workers there are, now."""

    expected: int
    """by --expect-workers, which is 1 where it is not given"""
    connected: int
    sending: int
    """of these, with a share of the run that goes on"""
    late: int
    """of these, without one: they came after it was dealt, and send from the next run on"""
    lost: int
    """had a share of the newest run and left"""

    @property
    def missing(self) -> int:
        """Expected, and not there."""
        return max(0, self.expected - self.connected)


class Workers:
    """Watches the workers of one run after another."""

    def __init__(self, runner: LocustRunner, expected: int) -> None:
        self._runner = runner
        self._expected = expected
        self._run: Run | None = None
        self._done: set[str] = set()
        self._late: set[str] = set()
        self._watcher: Greenlet | None = None

    def begin(self, run: Run) -> None:
        """The run goes to the workers that are there; say which are missing."""
        self._run, self._done, self._late = run, set(), set()
        run.workers = sorted(self._connected())
        missing = self.seen().missing
        if missing:
            log.warning(
                "%d of %d expected workers missing: the run is dealt to the %d that are there",
                missing, self._expected, len(run.workers),
            )  # fmt: skip
        self._watcher = gevent.spawn(self._watch, run)

    def finished(self, worker: str) -> None:
        """A worker has sent everything, its records included."""
        self._done.add(worker)
        if self._run is not None and self._done.issuperset(self._run.workers):
            self._run.done.set()

    def stop(self) -> None:
        """Watch no more."""
        if self._watcher is not None:
            self._watcher.kill()

    def seen(self) -> WorkersSeen:
        """As they are now."""
        connected = self._connected()
        run = self._run
        if run is None or run.done.is_set():
            return WorkersSeen(self._expected, len(connected), 0, 0, len(run.lost_workers) if run else 0)
        sending = connected.intersection(run.workers)
        return WorkersSeen(
            expected=self._expected,
            connected=len(connected),
            sending=len(sending),
            late=len(connected) - len(sending),
            lost=len(run.lost_workers),
        )

    def _connected(self) -> set[str]:
        clients = self._runner.clients
        return {client.id for client in clients.ready + clients.running + clients.spawning}

    def _watch(self, run: Run) -> None:
        while not run.done.is_set():
            gevent.sleep(_LOOK_EVERY_S)
            alive = self._connected()
            for worker in run.workers:
                if worker not in alive and worker not in self._done and worker not in run.lost_workers:
                    run.lost_workers[worker] = time.monotonic() - run.start_s
                    run.live.senders.pop(worker, None)
                    log.error("worker %s was lost: what it had not sent counts as not sent", worker)
            for worker in alive.difference(run.workers, self._late):
                self._late.add(worker)
                log.warning(
                    "worker %s came after the start and sends nothing in this run: "
                    "--expect-workers %d waits for it",
                    worker, len(run.workers) + len(self._late),
                )  # fmt: skip
            if self._done.union(run.lost_workers).issuperset(run.workers):
                run.done.set()
