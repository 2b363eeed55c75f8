"""A short look at the engine through the gateway, before the matrix: latency when idle, and how much it can
serve.

Loads relative to capacity, window lengths, the scaled SLO and the derived queue timeout all come from here.
The numbers are rough on purpose (a few seconds a step); the cells measure.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import orjson

from experiments.design.probe import Probe
from experiments.errors import EnvironmentProblem
from experiments.measure import prompt_cost
from loadtests.planning.prompts import ONE_EACH, TokenCost, words

# A step of the staircase that adds less than this share of rate is the last one.
_PLATEAU = 1.06
# Less than this share of the best rate is not yet capacity: a few seconds a step tell rates apart no better.
_AT_CAPACITY = 0.9
_STEPS = (4, 8, 16, 32, 64, 128, 256)
_IDLE_REQUESTS = 6


@dataclass(frozen=True, slots=True)
class Target:
    """Where the probe's requests go. `engine_url` (empty where unknown) is only asked to count tokens;
    `api_key` is for a gateway that wants one."""

    gateway_url: str
    engine_url: str
    model: str
    api_key: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    started_s: float
    first_s: float
    last_s: float
    ended_s: float
    tokens: int


class _Client:
    """Streams chat completions of one fixed shape; every prompt is new, so that no prefix cache can help."""

    def __init__(
        self, http: httpx.AsyncClient, model: str, cost: TokenCost, prompt_tokens: int, output_tokens: int
    ) -> None:
        self._http = http
        self._model = model
        self._cost = cost
        self._prompt_tokens = prompt_tokens
        self._output_tokens = output_tokens
        self._sent = 0

    def _body(self) -> bytes:
        self._sent += 1
        text = words(self._prompt_tokens - self._cost.template, f"probe/{self._sent}", self._cost)
        return orjson.dumps(
            {
                "model": self._model,
                "messages": [{"role": "user", "content": text}],
                "max_tokens": self._output_tokens,
                "min_tokens": self._output_tokens,
                "ignore_eos": True,
                "temperature": 0,
                "stream": True,
            }
        )

    async def ask(self) -> _Answer:
        """One request to its end.

        Raises:
            EnvironmentProblem: anything but a whole stream.
        """
        started = time.monotonic()
        chunks: list[float] = []
        done = False
        headers = {"content-type": "application/json"}
        async with self._http.stream(
            "POST", "/v1/chat/completions", content=self._body(), headers=headers
        ) as response:
            if response.status_code != 200:
                text = (await response.aread()).decode(errors="replace")[:300]
                raise EnvironmentProblem(f"the probe's request was answered {response.status_code}: {text}")
            async for line in response.aiter_lines():
                if line == "data: [DONE]":
                    done = True
                elif line.startswith("data: ") and _has_content(line[6:]):
                    chunks.append(time.monotonic())
        if not done or not chunks:
            raise EnvironmentProblem("the probe's request ended without content; see the engine's log")
        return _Answer(started, chunks[0], chunks[-1], time.monotonic(), self._output_tokens)


def _prompt_cost(target: Target) -> TokenCost:
    """What words cost in this engine's prompts, so that the probe's are as long as the cells'."""
    return prompt_cost.measured(target.engine_url, target.model) if target.engine_url else ONE_EACH


def _has_content(data: str) -> bool:
    choices = orjson.loads(data).get("choices") or [{}]
    delta = choices[0].get("delta") or {}
    return bool(delta.get("content") or delta.get("reasoning_content"))


def run(target: Target, prompt_tokens: int, output_tokens: int, tell: Callable[[str], None]) -> Probe:
    """Probe a gateway whose limit must not bind (the caller raises MAX_ACTIVE first).

    Raises:
        EnvironmentProblem: a request failed; nothing can be measured then.
    """
    try:
        return asyncio.run(_run(target, prompt_tokens, output_tokens, tell))
    except httpx.HTTPError as error:
        raise EnvironmentProblem(
            f"the probe's request to {target.gateway_url} failed: {error or type(error).__name__}"
        ) from None


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
    except httpx.HTTPError as error:
        raise EnvironmentProblem(
            f"the warm-up's request to {target.gateway_url} failed: {error or type(error).__name__}"
        ) from None


async def _bursts(target: Target, prompt_tokens: int, output_tokens: int, sizes: list[int]) -> None:
    async with _http(target) as http:
        client = _Client(http, target.model, _prompt_cost(target), prompt_tokens, output_tokens)
        for size in sizes:
            await asyncio.gather(*(client.ask() for _ in range(size)))


def _http(target: Target) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=2.0)
    headers = {"authorization": f"Bearer {target.api_key}"} if target.api_key else {}
    return httpx.AsyncClient(
        base_url=target.gateway_url, headers=headers, limits=limits, timeout=300.0, trust_env=False
    )


async def _run(target: Target, prompt_tokens: int, output_tokens: int, tell: Callable[[str], None]) -> Probe:
    async with _http(target) as http:
        client = _Client(http, target.model, _prompt_cost(target), prompt_tokens, output_tokens)
        tell("warming up the engine")
        await asyncio.gather(*(client.ask() for _ in range(8)))
        idle = [await client.ask() for _ in range(_IDLE_REQUESTS)]
        e2e_s = statistics.median(a.ended_s - a.started_s for a in idle)
        steps: list[tuple[int, float]] = []
        e2e_by_step_s: list[float] = []
        ttft_by_step_s: list[float] = []
        for in_flight in _STEPS:
            tell(f"probing capacity with {in_flight} requests in flight")
            longest_s = max([e2e_s, *e2e_by_step_s])
            answers, window = await _step(client, in_flight, max(2.0, 2.0 * longest_s))
            rate_per_s = _rate_per_s(answers, window)
            e2e_by_step_s.append(statistics.median(a.ended_s - a.started_s for a in answers))
            ttft_by_step_s.append(_ttft_s(answers, window))
            grew = not steps or rate_per_s > _PLATEAU * steps[-1][1]
            steps.append((in_flight, rate_per_s))
            if not grew:
                break
    best = max(rate for _, rate in steps)
    # The first step at capacity: beyond it requests only wait for each other, in the engine's own queue.
    first = next(i for i, (_, rate) in enumerate(steps) if rate >= _AT_CAPACITY * best)
    return Probe(
        ttft_s=statistics.median(a.first_s - a.started_s for a in idle),
        tpot_s=statistics.median((a.last_s - a.first_s) / max(1, a.tokens - 1) for a in idle),
        e2e_s=e2e_s,
        capacity_per_s=best,
        e2e_at_capacity_s=e2e_by_step_s[first],
        ttft_at_capacity_s=ttft_by_step_s[first],
        steps=tuple(steps),
    )


async def _step(
    client: _Client, in_flight: int, measure_s: float
) -> tuple[list[_Answer], tuple[float, float]]:
    """Keep `in_flight` requests going; the window opens when every worker has had its first answer."""
    answers: list[_Answer] = []
    opened = asyncio.Event()
    stop_at = [float("inf")]

    async def worker() -> None:
        while time.monotonic() < stop_at[0]:
            answers.append(await client.ask())
            if len(answers) >= in_flight:
                opened.set()

    workers = [asyncio.create_task(worker()) for _ in range(in_flight)]
    opening = asyncio.create_task(opened.wait())
    # A failed worker must end the step, not leave it waiting for answers that will never come.
    await asyncio.wait([opening, *workers], return_when=asyncio.FIRST_COMPLETED)
    opening.cancel()
    start = time.monotonic()
    stop_at[0] = start + measure_s
    await asyncio.gather(*workers)
    return answers, (start, start + measure_s)


def _ttft_s(answers: list[_Answer], window: tuple[float, float]) -> float:
    """Median TTFT of the requests sent inside the window; the first of a step all arrive in one instant."""
    inside = [a for a in answers if a.started_s >= window[0]] or answers
    return statistics.median(a.first_s - a.started_s for a in inside)


def _rate_per_s(answers: list[_Answer], window: tuple[float, float]) -> float:
    """Completions per second; a request counts by the share of its life inside the window.

    Requests of a closed loop end in lockstep, so counting only ends would jump by a whole batch.
    """
    start, end = window
    shares = (
        max(0.0, min(a.ended_s, end) - max(a.started_s, start)) / (a.ended_s - a.started_s) for a in answers
    )
    return sum(shares) / (end - start)
