"""Puts known work on a live engine and reads its counters: what a calibration sees."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import aiohttp
import orjson
from prometheus_client.parser import text_string_to_metric_families

from experiments.calibration.fit import Row
from experiments.errors import EnvironmentProblem
from experiments.twin.chat import TOKENS_PER_MESSAGE, TOKENS_PER_PROMPT, load_words

COUNTERS = {
    "vllm:iteration_tokens_total_count": "steps",
    "vllm:generation_tokens_total": "generated",
    "vllm:prompt_tokens_total": "prompt",
    "vllm:prefix_cache_hits_total": "cached",
    "vllm:time_to_first_token_seconds_count": "first_tokens",
    "vllm:inter_token_latency_seconds_sum": "gaps_s",
    "vllm:inter_token_latency_seconds_count": "gaps",
    "vllm:kv_cache_usage_perc": "kv_use",
    "vllm:num_requests_running": "running",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One request as its client saw it; points on the monotonic clock, seconds; `times_s`: of its chunks."""

    sent_s: float
    times_s: tuple[float, ...]
    prompt_tokens: int
    output_tokens: int

    @property
    def first_s(self) -> float:
        """When the first content came."""
        return self.times_s[0]

    @property
    def last_s(self) -> float:
        """When the last content came."""
        return self.times_s[-1]


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters at one time."""

    at_s: float
    values: dict[str, float]


class Driver:
    """One engine and one HTTP session to it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, model: str, seed: int = 0) -> None:
        self._session = session
        self._url = url
        self._model = model
        self._random = random.Random(seed)
        self._words = load_words()

    async def ask(self, prompt_tokens: int, output_tokens: int) -> Answer:
        """One request of about that length, with a prompt of its own; the lengths in the answer are the
        engine's.

        Raises:
            EnvironmentProblem: the engine refuses it.
        """
        words = max(1, prompt_tokens - TOKENS_PER_MESSAGE - TOKENS_PER_PROMPT)
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": " ".join(self._random.choices(self._words, k=words))}],
            "max_tokens": output_tokens,
            "min_tokens": output_tokens,
            "ignore_eos": True,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        usage: dict[str, int] = {}
        sent_s, times = time.monotonic(), []
        async with self._session.post(f"{self._url}/v1/chat/completions", json=body) as answer:
            if answer.status != 200:
                raise EnvironmentProblem(
                    f"the engine at {self._url} answers {answer.status}: {await answer.text()}"
                )
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    event = orjson.loads(line[6:])
                    usage = event.get("usage") or usage
                    if event["choices"] and event["choices"][0]["delta"].get("content"):
                        times.append(time.monotonic())
        return Answer(sent_s, tuple(times), usage["prompt_tokens"], usage["completion_tokens"])

    async def read(self) -> Reading:
        """The counters now."""
        async with self._session.get(f"{self._url}/metrics") as answer:
            page, at_s = await answer.text(), time.monotonic()
        values = dict.fromkeys(COUNTERS.values(), 0.0)
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name in COUNTERS:
                    values[COUNTERS[sample.name]] += sample.value
        return Reading(at_s, values)

    async def ladder(self, lengths: Sequence[int], times: int) -> list[Answer]:
        """Prompts alone on the engine, one token each."""
        return [await self.ask(length, 1) for _ in range(times) for length in lengths]

    async def stair(
        self, users: int, seconds: float, lengths: Sequence[tuple[int, int]]
    ) -> tuple[list[Answer], list[Reading]]:
        """A closed loop of `users` for `seconds`: all its answers, and the counters about once a second while
        all users are at work.
        """
        end_s = time.monotonic() + seconds
        work = itertools.cycle(lengths)

        answers: list[Answer] = []

        async def user() -> None:
            while time.monotonic() < end_s:
                answers.append(await self.ask(*next(work)))

        tasks = [asyncio.create_task(user()) for _ in range(users)]
        readings = []
        await asyncio.sleep(0.5)
        while time.monotonic() < end_s:
            readings.append(await self.read())
            await asyncio.sleep(1.0)
        await asyncio.gather(*tasks)
        return answers, readings


def rows_of_stair(readings: Sequence[Reading], users: int, kv_tokens: int, block_size: int) -> list[Row]:
    """Windows between neighbouring readings.

    With two users or more the engine is never idle, and a window's seconds are its steps'. One user leaves
    it idle between two requests: there the gaps between tokens, which are steps, stand for the window. The
    context is what the KV blocks hold, less the half block that is empty at the end of a sequence on
    average.
    """
    rows = []
    for before, after in itertools.pairwise(readings):
        delta = {name: after.values[name] - before.values[name] for name in after.values}
        use = (before.values["kv_use"] + after.values["kv_use"]) / 2
        running = (before.values["running"] + after.values["running"]) / 2
        context = max(0.0, use * kv_tokens - running * block_size / 2)
        decoded = delta["generated"] - delta["first_tokens"]
        if delta["steps"] < 5:
            continue
        if users == 1:
            rows.append(Row(delta["gaps_s"], delta["gaps"], delta["gaps"], 0.0, context * delta["gaps"]))
        elif min(before.values["running"], after.values["running"]) > 0:
            prompt = delta["prompt"] - delta["cached"]
            seconds = after.at_s - before.at_s
            row = Row(
                seconds, delta["steps"], decoded, prompt, context * delta["steps"], delta["first_tokens"]
            )
            rows.append(replace(row, arrived=delta["first_tokens"]))  # in a closed loop as many as ended
    return rows


def rows_of_ladder(answers: Sequence[Answer]) -> list[Row]:
    """Each prompt alone: one step, and the overhead."""
    return [row_of_alone(a.first_s - a.sent_s, a.prompt_tokens) for a in answers]


def row_of_alone(seconds: float, prompt_tokens: int) -> Row:
    """A prompt on an idle engine."""
    return Row(
        seconds, 1, 0, prompt_tokens, prompt_tokens, 1.0, alone=1.0, pairs=prompt_tokens * prompt_tokens / 2
    )
