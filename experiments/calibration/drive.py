"""Puts known work on a live engine: what a calibration sees of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Sequence

import httpx

from experiments.calibration.counter_rows import Reading
from experiments.errors import EnvironmentProblem
from experiments.observe import metrics_page
from experiments.observe.ask import Asker, StreamedAnswer
from experiments.observe.metrics_page import NotMetricsError
from experiments.observe.request_bodies import RequestBodies
from experiments.stack.engine import Engine
from loadtests.planning.optional_fields import ALL_FIELDS, OptionalFields
from loadtests.planning.plan import Plan
from loadtests.planning.prompts import ONE_EACH, TokenCost
from loadtests.reach import http_client, why
from loadtests.reach.endpoint import Endpoint

Lengths = Sequence[tuple[int, int]]
"""(prompt tokens, output tokens) of requests, in turn."""

READ_EVERY_S = 1.0


@contextlib.asynccontextmanager
async def driving(
    served: Engine, cost: TokenCost = ONE_EACH, seed: int = 0, fields: OptionalFields = ALL_FIELDS
) -> AsyncIterator[Driver]:
    """A driver of this engine, whose prompts are made with what words `cost` in it; `seed` is theirs,
    `fields` what they ask beyond the plain API."""
    bodies = RequestBodies(served.model, cost, f"calibration {seed}", fields)
    async with (
        Asker(_known(served)) as asker,
        http_client.async_client(_known(served), 30.0) as http,
    ):
        yield Driver(asker, http, served, bodies)


class Driver:
    """One engine, with connections for requests and for its counters."""

    def __init__(self, asker: Asker, http: httpx.AsyncClient, served: Engine, bodies: RequestBodies) -> None:
        self._asker = asker
        self._http = http
        self._served = served
        self._bodies = bodies

    async def ask(self, prompt_tokens: int, output_tokens: int) -> StreamedAnswer:
        """One request of that length, with a prompt of its own; the lengths in the answer are the engine's.

        Raises:
            EnvironmentProblem: the engine refuses it, or does not count its tokens.
        """
        return await self._ask(self._bodies.make(prompt_tokens, output_tokens))

    async def read(self) -> Reading:
        """The counters now.

        Raises:
            EnvironmentProblem: there are none.
        """
        try:
            content = bytearray()
            async with self._http.stream("GET", "/metrics") as response:
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > metrics_page.MOST_BYTES:
                        break
            page = metrics_page.text_of(response.status_code, [bytes(content)])
        except httpx.HTTPError as error:
            reason = why.unreachable(error, _known(self._served))
            raise EnvironmentProblem(f"{self._served.url}/metrics cannot be read: {reason}") from None
        except NotMetricsError as error:
            raise EnvironmentProblem(f"{self._served.url}/metrics {error}: a calibration reads it") from None
        return Reading.of(page, time.monotonic(), self._served.metrics)

    async def single_prompts(self, lengths: Sequence[int], times: int) -> list[StreamedAnswer]:
        """Prompts alone on the engine, one token each."""
        return [await self.ask(length, 1) for _ in range(times) for length in lengths]

    async def closed_loop(
        self, users: int, seconds: float, lengths: Lengths
    ) -> tuple[list[StreamedAnswer], list[Reading]]:
        """A closed loop of `users` for `seconds`: all its answers, and the counters about once a second while
        all users are at work.
        """
        end_s = time.monotonic() + seconds
        work = itertools.cycle(lengths)
        answers: list[StreamedAnswer] = []

        async def user() -> None:
            while time.monotonic() < end_s:
                answers.append(await self.ask(*next(work)))

        tasks = [asyncio.create_task(user()) for _ in range(users)]
        readings = []
        await asyncio.sleep(READ_EVERY_S / 2)
        while time.monotonic() < end_s:
            readings.append(await self.read())
            await asyncio.sleep(READ_EVERY_S)
        await asyncio.gather(*tasks)
        return answers, readings

    async def open_loop(self, plan: Plan, lengths: Lengths) -> tuple[float, list[StreamedAnswer]]:
        """The arrivals of `plan`, each sent when it is due with the next of `lengths`: the monotonic time of
        its start, and the answers in the order in which they were sent.
        """
        # Made before: at its due time a request is only written.
        bodies = [self._bodies.make(*pair) for _, pair in zip(plan.arrivals, itertools.cycle(lengths))]
        begin_s = time.monotonic()

        async def send(due_s: float, body: bytes) -> StreamedAnswer:
            await asyncio.sleep(max(0.0, begin_s + due_s - time.monotonic()))
            return await self._ask(body)

        sent = (send(arrival.due_s, body) for arrival, body in zip(plan.arrivals, bodies, strict=True))
        answers = await asyncio.gather(*sent)
        return begin_s, sorted(answers, key=lambda answer: answer.sent_s)

    async def _ask(self, body: bytes) -> StreamedAnswer:
        answer = await self._asker.ask(body)
        if not answer.prompt_tokens:
            raise EnvironmentProblem(
                f"the engine at {self._served.url} does not say how many tokens a prompt has (usage), so no "
                "model can be fitted to it"
            )
        return answer


def _known(served: Engine) -> Endpoint:
    assert served.endpoint is not None, "an engine that is calibrated is reached itself"
    return served.endpoint
