"""A short look at the engine through the gateway, before the matrix: latency when idle, and how
much it can serve.

Loads relative to capacity, window lengths, the scaled SLO and the derived queue timeout all come from here.
The numbers are rough on purpose (a few seconds a step); the cells measure.
"""

import asyncio
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from experiments.design.probe import IdleLatencies, Probe
from experiments.errors import EnvironmentProblem
from experiments.measure import prompt_cost
from experiments.observe.ask import Asker, AskFailed, StreamedAnswer
from experiments.observe.request_bodies import RequestBodies
from loadtests.planning.optional_fields import ALL_FIELDS, OptionalFields
from loadtests.planning.prompts import ONE_EACH
from loadtests.reach.endpoint import Endpoint
from loadtests.recording.lengths import outputs_off

# A step of the staircase that adds less than this share of rate is the last one.
_PLATEAU = 1.06
# Less than this share of the best rate is not yet capacity: a few seconds a step tell rates apart no better.
_AT_CAPACITY = 0.9
_STEPS = (4, 8, 16, 32, 64, 128, 256)
# So much more than the engine's batch is always enough to keep it full; beyond that requests only wait.
_FULL = 1.25
# A step's window may end before its time once the mean life in it is known this well, relative.
_KNOWN = 0.01
_IDLE_REQUESTS = 6
_IDLE_AGAIN = 3
_LONGEST_ANSWER_S = 300.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where the probe's requests go. `engine` (None where unknown) is only asked to count tokens; `fields`:
    what every request asks beyond the plain API; `batch`: the most that the engine runs at once, None where
    that is not known."""

    gateway: Endpoint
    engine: Endpoint | None
    model: str
    fields: OptionalFields = ALL_FIELDS
    batch: int | None = None

    @property
    def steps(self) -> tuple[int, ...]:
        """The staircase, which ends where the engine's batch is full."""
        if self.batch is None:
            return _STEPS
        full = math.ceil(_FULL * self.batch)
        return (*(step for step in _STEPS if step < full), full) if full < _STEPS[-1] else _STEPS


@dataclass(frozen=True, slots=True)
class _Step:
    """What a number of requests in flight gave: completions per second, and medians in seconds."""

    in_flight: int
    rate_per_s: float
    e2e_s: float
    ttft_s: float


def run(target: Target, prompt_tokens: int, output_tokens: int, tell: Callable[[str], None]) -> Probe:
    """Probe a gateway whose limit must not bind (the caller raises MAX_ACTIVE first).

    Raises:
        EnvironmentProblem: a request failed; nothing can be measured then.
    """
    try:
        return asyncio.run(_run(target, prompt_tokens, output_tokens, tell))
    except AskFailed as error:
        raise EnvironmentProblem(f"the probe failed: {error}") from None


def warm_up(
    target: Target, prompt_tokens: int, output_tokens: int, widest: int, tell: Callable[[str], None]
) -> None:
    """Warm an engine up that is not probed: bursts of 1, 2, 4 … up to `widest` requests (64 at most), so that
    each size of batch was there once.

    Raises:
        EnvironmentProblem: a request failed; nothing can be measured then.
    """
    tell("warming up the engine")
    sizes = [2**k for k in range(7) if 2**k < 2 * widest]
    try:
        asyncio.run(_bursts(target, prompt_tokens, output_tokens, sizes))
    except AskFailed as error:
        raise EnvironmentProblem(f"the warm-up failed: {error}") from None


def idle(target: Target, prompt_tokens: int, output_tokens: int) -> IdleLatencies:
    """What requests of other lengths take on the engine that was warmed up already, one at a time.

    Raises:
        EnvironmentProblem: a request failed; nothing can be measured then.
    """
    try:
        return asyncio.run(_idle(target, prompt_tokens, output_tokens))
    except AskFailed as error:
        raise EnvironmentProblem(f"the probe failed: {error}") from None


class _Prober:
    """Asks for completions of one fixed shape."""

    def __init__(self, asker: Asker, target: Target, prompt_tokens: int, output_tokens: int) -> None:
        # What words cost in this engine's prompts, so that the probe's are as long as the cells'.
        cost = prompt_cost.measured(target.engine, target.model) if target.engine is not None else ONE_EACH
        self._asker = asker
        self._lengths = (prompt_tokens, output_tokens)
        salt = f"probe {prompt_tokens}x{output_tokens}"
        self._bodies = RequestBodies(target.model, cost, salt, target.fields)

    async def ask(self) -> StreamedAnswer:
        """One request to its end.

        Raises:
            AskFailed: anything but a whole stream.
        """
        return await self._asker.ask(self._bodies.make(*self._lengths))

    async def burst(self, size: int) -> None:
        """So many at once, to their end."""
        await asyncio.gather(*(self.ask() for _ in range(size)))

    async def step(self, in_flight: int, least_s: float, most_s: float) -> _Step:
        """Keep `in_flight` requests going; the window opens when every worker has had its first answer, and
        closes after `least_s`, or after `most_s` where their lives differ."""
        answers: list[StreamedAnswer] = []
        opened = asyncio.Event()
        stop_at_s = math.inf

        async def worker() -> None:
            while time.monotonic() < stop_at_s:
                answers.append(await self.ask())
                if len(answers) >= in_flight:
                    opened.set()

        workers = [asyncio.create_task(worker()) for _ in range(in_flight)]
        opening = asyncio.create_task(opened.wait())
        # A failed worker must end the step, not leave it waiting for answers that will never come.
        await asyncio.wait([opening, *workers], return_when=asyncio.FIRST_COMPLETED)
        opening.cancel()
        start_s = time.monotonic()
        stop_at_s = start_s + most_s
        await asyncio.wait(workers, timeout=least_s, return_when=asyncio.FIRST_EXCEPTION)
        if _is_known([answer for answer in answers if answer.ended_s > start_s]):
            stop_at_s = min(stop_at_s, time.monotonic())
        await asyncio.gather(*workers)
        return _Step(
            in_flight,
            _rate_per_s(answers, start_s, stop_at_s),
            statistics.median(answer.ended_s - answer.sent_s for answer in answers),
            _ttft_s(answers, start_s),
        )


async def _bursts(target: Target, prompt_tokens: int, output_tokens: int, sizes: list[int]) -> None:
    async with Asker(target.gateway, timeout_s=_LONGEST_ANSWER_S) as asker:
        prober = _Prober(asker, target, prompt_tokens, output_tokens)
        for size in sizes:
            await prober.burst(size)


async def _idle(target: Target, prompt_tokens: int, output_tokens: int) -> IdleLatencies:
    async with Asker(target.gateway, timeout_s=_LONGEST_ANSWER_S) as asker:
        prober = _Prober(asker, target, prompt_tokens, output_tokens)
        return _latencies([await prober.ask() for _ in range(_IDLE_AGAIN)])


def _latencies(idle: list[StreamedAnswer]) -> IdleLatencies:
    """Medians over answers to one request at a time."""
    tpots_s = [answer.tpot_s for answer in idle if answer.tpot_s is not None]
    return IdleLatencies(
        ttft_s=statistics.median(answer.first_s - answer.sent_s for answer in idle),
        tpot_s=statistics.median(tpots_s) if tpots_s else None,
        e2e_s=statistics.median(answer.ended_s - answer.sent_s for answer in idle),
    )


async def _run(target: Target, prompt_tokens: int, output_tokens: int, tell: Callable[[str], None]) -> Probe:
    async with Asker(target.gateway, timeout_s=_LONGEST_ANSWER_S) as asker:
        prober = _Prober(asker, target, prompt_tokens, output_tokens)
        tell("warming up the engine")
        await prober.burst(8)
        answers = [await prober.ask() for _ in range(_IDLE_REQUESTS)]
        _tell_lengths(answers, output_tokens, target.fields, tell)
        idle = _latencies(answers)
        steps: list[_Step] = []
        for in_flight in target.steps:
            tell(f"probing capacity with {in_flight} requests in flight")
            longest_s = max([idle.e2e_s, *(step.e2e_s for step in steps)])
            two_lives_s = 2.0 * longest_s
            steps.append(await prober.step(in_flight, max(1.0, two_lives_s), max(2.0, two_lives_s)))
            if len(steps) > 1 and steps[-1].rate_per_s <= _PLATEAU * steps[-2].rate_per_s:
                break
        # Others may have been at work on the machine before; what disturbs only makes latencies longer.
        again = _latencies([await prober.ask() for _ in range(_IDLE_AGAIN)])
    idle = idle.at_best(again)
    capacity_per_s = max(step.rate_per_s for step in steps)
    # The first step at capacity: beyond it requests only wait for each other, in the engine's own queue.
    first = next(step for step in steps if step.rate_per_s >= _AT_CAPACITY * capacity_per_s)
    return Probe(
        ttft_s=idle.ttft_s,
        tpot_s=idle.tpot_s,
        e2e_s=idle.e2e_s,
        capacity_per_s=capacity_per_s,
        e2e_at_capacity_s=first.e2e_s,
        ttft_at_capacity_s=first.ttft_s,
        steps=tuple((step.in_flight, step.rate_per_s) for step in steps),
    )


def _is_known(ended: list[StreamedAnswer]) -> bool:
    """Whether the mean life of these answers has a standard error of at most 1 %."""
    lives_s = [answer.ended_s - answer.sent_s for answer in ended]
    if len(lives_s) < _IDLE_REQUESTS:
        return False
    error_s = statistics.stdev(lives_s) / math.sqrt(len(lives_s))
    return error_s <= _KNOWN * statistics.mean(lives_s)


def _tell_lengths(
    idle: list[StreamedAnswer], asked: int, fields: OptionalFields, tell: Callable[[str], None]
) -> None:
    """Say before an hour of cells that the engine does not keep to the lengths that it is asked for."""
    told = np.array([answer.output_tokens for answer in idle if answer.told], dtype=float)
    if outputs_off(np.full(len(told), float(asked)), told, fields.lengths).any():
        tell(
            f"the engine reports {statistics.median(told):g} output tokens where {asked} were asked: cells "
            "will be marked invalid (--lengths free takes planned lengths as a bound)"
        )


def _ttft_s(answers: list[StreamedAnswer], start_s: float) -> float:
    """Median TTFT of the requests sent inside the window; the first of a step all arrive in one instant."""
    inside = [answer for answer in answers if answer.sent_s >= start_s] or answers
    return statistics.median(answer.first_s - answer.sent_s for answer in inside)


def _rate_per_s(answers: list[StreamedAnswer], start_s: float, end_s: float) -> float:
    """Completions per second; a request counts by the share of its life inside the window.

    Requests of a closed loop end in lockstep, so counting only ends would jump by a whole batch.
    """
    shares = (
        max(0.0, min(answer.ended_s, end_s) - max(answer.sent_s, start_s)) / (answer.ended_s - answer.sent_s)
        for answer in answers
    )
    return sum(shares) / (end_s - start_s)
