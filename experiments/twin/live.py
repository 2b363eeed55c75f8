"""The engine model in real time: steps end at booked absolute times, so no delay of ours adds up.

A step that is handled late (a busy core, a coarse timer) delays its tokens, never the next step. A request
is seen by the first step that starts after its own arrival, also when the loop wakes late. So the booked
times are exactly those of `simulate` for the same arrivals.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

from experiments.twin.profile import Profile
from experiments.twin.scheduler import WAITING, Scheduler, Sequence, Step


class Stream:
    """The tokens of one request as they appear; times are points on the monotonic clock in seconds.

    `fresh` holds, for each token not yet taken, which of the request's choices it belongs to.
    """

    __slots__ = (
        "arrived_s",
        "choices",
        "ended_s",
        "finish_reason",
        "first_s",
        "fresh",
        "prompt_tokens",
        "scheduled_s",
        "sequences",
        "taken",
        "waiter",
    )

    def __init__(self, prompt_tokens: int, output_tokens: int, choices: int, arrived_s: float) -> None:
        self.prompt_tokens = prompt_tokens
        self.finish_reason = "length"
        self.choices = choices
        self.arrived_s = arrived_s
        self.scheduled_s: float | None = None
        self.first_s: float | None = None
        self.ended_s: float | None = None
        self.fresh: list[int] = []
        self.sequences = [Sequence(prompt_tokens, output_tokens, (self, index)) for index in range(choices)]
        self.taken = 0
        self.waiter: asyncio.Future[None] | None = None

    async def take(self) -> list[int]:
        """The choices of the tokens since the last call, waiting for one; empty when the request is over."""
        if not self.fresh and self.ended_s is None:
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        fresh, self.fresh = self.fresh, []
        self.taken += len(fresh)
        return fresh

    def wake(self) -> None:
        """Let `take` return."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


async def tokens(streams: list[Stream], choices: int) -> AsyncIterator[list[int]]:
    """The tokens of several requests as they appear: for each which answer it belongs to, `choices`
    answers to a request; until all are over."""
    if len(streams) == 1:
        while fresh := await streams[0].take():
            yield fresh
        return
    queue: asyncio.Queue[list[int]] = asyncio.Queue()

    async def pump(number: int, stream: Stream) -> None:
        while fresh := await stream.take():
            queue.put_nowait([number * choices + choice for choice in fresh])
        queue.put_nowait([])

    pumps = [asyncio.create_task(pump(number, stream)) for number, stream in enumerate(streams)]
    try:
        left = len(pumps)
        while left:
            fresh = await queue.get()
            if fresh:
                yield fresh
            else:
                left -= 1
    finally:
        for task in pumps:
            task.cancel()


class StepReport:
    """What happened in one step, for the metrics: streams that got their first token, and streams that
    ended.
    """

    __slots__ = ("ended", "first", "lag_s", "step", "time_s")

    def __init__(self, step: Step, time_s: float, lag_s: float) -> None:
        self.step = step
        self.time_s = time_s
        self.lag_s = lag_s
        self.first: list[Stream] = []
        self.ended: list[Stream] = []


class LiveEngine:
    """Runs the scheduler of a profile in real time; `run` is the loop, `submit` and `cancel` come from
    requests.
    """

    def __init__(
        self,
        profile: Profile,
        on_step: Callable[[StepReport], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.profile = profile
        self.scheduler = Scheduler(profile.limits)
        self._step_time = profile.step_time
        self._on_step = on_step
        self._clock = clock
        self._inbox: deque[tuple[float, Stream]] = deque()
        self._unscheduled: deque[Stream] = deque()
        self._aborts: list[Stream] = []
        self._arrived: deque[float] = deque()  # arrivals that have not yet put off a step
        self._arrival = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Sequences that are not in the batch."""
        return self.scheduler.waiting + sum(stream.choices for _, stream in self._inbox)

    def submit(self, prompt_tokens: int, output_tokens: int, choices: int = 1) -> Stream:
        """A request arrives now. Raises ValueError when it can never be served."""
        now_s = self._clock()
        stream = Stream(prompt_tokens, output_tokens, choices, now_s)
        if not self.scheduler.fits(stream.sequences[0]):
            raise ValueError(f"{prompt_tokens} + {output_tokens} tokens do not fit into this engine")
        self._inbox.append((now_s + self.profile.ingest_s, stream))
        self._arrived.append(now_s)
        self._arrival.set()
        return stream

    def cancel(self, stream: Stream) -> None:
        """Its client is gone: the next step does without it."""
        if stream.ended_s is None:
            stream.ended_s = self._clock()
            self._aborts.append(stream)
            self._arrival.set()
            stream.wake()

    async def run(self) -> None:
        """Step for ever."""
        next_s = self._clock()
        taken_s = 0.0  # by the API server, for the requests that ended in the step before
        while True:
            self._deliver(next_s)
            step = self.scheduler.begin()
            if step is None:
                taken_s = 0.0
                if not self._inbox:
                    self._arrival.clear()
                    await self._arrival.wait()
                if self._inbox:
                    next_s = max(next_s, self._inbox[0][0])
                continue
            self._stamp_scheduled(next_s)
            length_s = self._step_time.duration_s(step.decode, step.tokens, step.kv_tokens)
            length_s += self.profile.per_pair_s * step.pairs
            next_s = await self._step_end(next_s, taken_s + length_s)
            taken_s = self.profile.end_work_s * self._finish(step, next_s)

    async def _step_end(self, begin_s: float, length_s: float) -> float:
        """Sleep until the step has ended, which each arrival meanwhile puts off; returns the booked time."""
        end_s = begin_s + length_s
        while True:
            while self._arrived and self._arrived[0] <= end_s:
                if self._arrived.popleft() > begin_s:
                    end_s += self.profile.arrival_work_s
            left_s = end_s + self.profile.egress_s - self._clock()
            if left_s <= 0:
                return end_s
            await asyncio.sleep(left_s)

    def _deliver(self, until_s: float) -> None:
        """Hand over what arrived up to `until_s`, then drop what was cancelled."""
        while self._inbox and self._inbox[0][0] <= until_s:
            stream = self._inbox.popleft()[1]
            self._unscheduled.append(stream)
            for sequence in stream.sequences:
                self.scheduler.add(sequence)
        for stream in self._aborts:
            if any(waiting is stream for _, waiting in self._inbox):
                self._inbox = deque(entry for entry in self._inbox if entry[1] is not stream)
            else:
                for sequence in stream.sequences:
                    self.scheduler.abort(sequence)
        self._aborts = []

    def _stamp_scheduled(self, now_s: float) -> None:
        while self._unscheduled and self._unscheduled[0].sequences[0].state != WAITING:
            self._unscheduled.popleft().scheduled_s = now_s

    def _finish(self, step: Step, now_s: float) -> int:
        """Give every sequence of the step its token; returns how many ended."""
        report = StepReport(step, now_s, self._clock() - now_s)
        decoding = self.scheduler.decoding
        ended = self.scheduler.end()
        for sequence in (*decoding, *step.first_tokens):
            stream, index = sequence.owner
            if stream.ended_s is not None:
                continue
            if stream.first_s is None:
                stream.first_s = now_s
                report.first.append(stream)
            stream.fresh.append(index)
        for sequence in ended:
            stream = sequence.owner[0]
            stream.choices -= 1
            if not stream.choices and stream.ended_s is None:
                stream.ended_s = now_s
                report.ended.append(stream)
        self._on_step(report)
        for sequence in (*decoding, *step.first_tokens):
            sequence.owner[0].wake()
        return len(ended)
