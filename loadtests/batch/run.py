"""Sends the requests of a batch until each has its result line."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from loadtests.batch.answer import Barred, BatchAnswer, Broken, Busy, Sent, Unreached
from loadtests.batch.forecast import Forecast, words
from loadtests.batch.pace import Pace
from loadtests.batch.requests_file import BatchRequest, RequestsFile
from loadtests.batch.results_file import ResultsFile
from loadtests.batch.sending import BatchSender
from loadtests.batch.stopping import BatchStopped
from loadtests.batch.watch import LOOK_EVERY_S, Watch

TRIES = 3
"""Of a request whose connection broke, or whose answer was a 5xx; refusals do not count."""
SYNC_EVERY_S, TELL_EVERY_S = 1.0, 10.0
UNREACHED_AT_MOST_S = 600.0


@dataclass(frozen=True, slots=True)
class BatchParts:
    """What a batch works with."""

    requests: RequestsFile
    results: ResultsFile
    sender: BatchSender
    watch: Watch
    pace: Pace
    tell: Callable[[str], None]


class BatchRun:
    """One run of a batch: from what has no result yet to the last one."""

    def __init__(self, parts: BatchParts) -> None:
        self._parts = parts
        self._left = deque(
            one for one in parts.requests.requests if one.custom_id not in parts.results.done_ids
        )
        self._tries: Counter[str] = Counter()
        self._flying: dict[asyncio.Task[Sent], tuple[BatchRequest, float]] = {}
        self._unreached_s: float | None = None
        now_s = time.monotonic()
        self._forecast = Forecast(len(parts.results.done_ids), now_s)
        self._synced_s = self._told_s = now_s
        self._paused_before = False

    async def run(self) -> None:
        """Returns when every request has its line. Raises BatchStopped."""
        # Whether the others leave something is known before the first is sent.
        await self._look_once()
        looking = asyncio.create_task(self._look())
        try:
            while self._left or self._flying:
                self._send_what_may()
                await self._one_step(looking)
                self._keep()
        finally:
            for task in (*self._flying, looking):
                task.cancel()
            await asyncio.gather(*self._flying, looking, return_exceptions=True)
            self._parts.results.sync()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._look_once()

    async def _look_once(self) -> None:
        parts = self._parts
        seen = await parts.watch.look()
        parts.pace.saw(seen, parts.sender.lane, len(self._flying), time.monotonic())

    def _send_what_may(self) -> None:
        parts = self._parts
        while self._left and parts.pace.may_send(len(self._flying), time.monotonic()):
            request = self._left.popleft()
            sending = parts.sender.send(request.url, parts.requests.body(request))
            self._flying[asyncio.create_task(sending)] = (request, time.monotonic())

    async def _one_step(self, looking: asyncio.Task[None]) -> None:
        """Until something ended, or a look may have opened the way."""
        now_s = time.monotonic()
        wait_s = min(max(self._parts.pace.closed_until_s - now_s, 0.0) or LOOK_EVERY_S, LOOK_EVERY_S)
        if not self._flying:
            await asyncio.sleep(wait_s)
        else:
            in_flight = len(self._flying)
            ended, _ = await asyncio.wait(self._flying, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                request, sent_s = self._flying.pop(task)
                self._end(request, task.result(), sent_s, in_flight)
        if looking.done():
            looking.result()  # it ends only by an error of ours

    def _end(self, request: BatchRequest, sent: Sent, sent_s: float, in_flight: int) -> None:
        pace, now_s = self._parts.pace, time.monotonic()
        if isinstance(sent, Barred):
            raise BatchStopped(f"the server no longer lets us in: {sent.why}; what is done is kept")
        if isinstance(sent, Unreached):
            self._unreachable(sent.why, now_s)
        else:
            self._unreached_s = None
        if isinstance(sent, BatchAnswer):
            if sent.status is not None:
                pace.answered(in_flight)
            self._parts.results.add(request.custom_id, sent)
            return
        pace.refused(sent_s, sent.wait_s if isinstance(sent, Busy) else None, now_s)
        if isinstance(sent, Broken):
            self._tries[request.custom_id] += 1
            if self._tries[request.custom_id] >= TRIES:
                self._parts.results.add(request.custom_id, sent.answer)
                return
        self._left.appendleft(request)

    def _unreachable(self, why: str, now_s: float) -> None:
        self._unreached_s = now_s if self._unreached_s is None else self._unreached_s
        if now_s - self._unreached_s > UNREACHED_AT_MOST_S:
            raise BatchStopped(
                f"the server has not been reached for {UNREACHED_AT_MOST_S / 60:.0f} min: {why}; "
                "what is done is kept, the same command goes on"
            )

    def _keep(self) -> None:
        """What is due at intervals: results onto the disk, and a line for people."""
        now_s, parts = time.monotonic(), self._parts
        if now_s - self._synced_s >= SYNC_EVERY_S:
            parts.results.sync()
            self._synced_s = now_s
        self._forecast.at(len(parts.results.done_ids), now_s)
        paused = parts.pace.pause is not None
        if now_s - self._told_s >= TELL_EVERY_S or (paused and not self._paused_before):
            self._paused_before |= paused  # the first is told at once, lest it look like standing still
            parts.tell(self._progress())
            self._told_s = now_s

    def _progress(self) -> str:
        results, pause = self._parts.results, self._parts.pace.pause
        done, total = len(results.done_ids), len(self._parts.requests.requests)
        held = f"; paused: {pause.value}" if pause is not None else ""
        if self._unreached_s is not None:
            held = "; the server is not reached"
        return (
            f"batch: {done:,} of {total:,} ({len(results.failed_ids):,} failed), "
            f"{len(self._flying)} in flight, {self._forecast.rate_per_s():.2g}/s, "
            f"{words(self._forecast.left_s(total - done))}{held}"
        )
