"""Asks the engine in the background how it is: no request and no health check ever waits for the answer."""

import asyncio
import time

import httpx
import orjson

from gateway.breaker import Breaker

LONGEST_PROBE_S = 5.0


class Probe:
    """The engine's state as last seen.

    healthy: None before the first answer; checked_s: when that was known (monotonic); models: served model
    names and models_body: the engine's own `/v1/models` answer, both kept when the engine goes away.
    """

    def __init__(self, base_url: str, interval_s: float, api_key: str | None, breaker: Breaker) -> None:
        self._base_url = base_url
        self._interval_s = interval_s
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._breaker = breaker
        self.healthy: bool | None = None
        self.why = "not probed yet"
        self.checked_s: float | None = None
        self.models: frozenset[str] = frozenset()
        self.models_body: bytes | None = None
        self.models_s: float | None = None

    async def run(self) -> None:
        """Probes for ever; cancel it to stop."""
        limits = httpx.Limits(max_connections=2, keepalive_expiry=min(2.0, self._interval_s))
        async with httpx.AsyncClient(timeout=LONGEST_PROBE_S, trust_env=False, limits=limits) as client:
            while True:
                await self._once(client)
                await asyncio.sleep(self._interval_s)

    async def _once(self, client: httpx.AsyncClient) -> None:
        try:
            answer = await client.get(f"{self._base_url}/health", headers=self._headers)
            self.healthy, self.why = answer.is_success, f"status {answer.status_code}"
            if answer.is_success:
                self._breaker.reached()
            if answer.is_success and (self.models_s is None or time.monotonic() - self.models_s > 10.0):
                await self._ask_models(client)
        except httpx.HTTPError as error:
            self.healthy, self.why = False, type(error).__name__
        self.checked_s = time.monotonic()

    async def _ask_models(self, client: httpx.AsyncClient) -> None:
        answer = await client.get(f"{self._base_url}/v1/models", headers=self._headers)
        if not answer.is_success:
            return
        try:
            names = [model["id"] for model in orjson.loads(answer.content)["data"]]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return
        self.models = frozenset(name for name in names if isinstance(name, str))
        self.models_body = answer.content
        self.models_s = time.monotonic()
