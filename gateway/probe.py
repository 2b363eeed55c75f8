"""Asks the engine in the background how it is: no request and no health check ever waits for the answer."""

import asyncio
import time
from dataclasses import dataclass

import httpx
import orjson
from structlog.typing import FilteringBoundLogger

from gateway import probe_client
from gateway.breaker import Breaker
from gateway.cache_probe import CacheProbe
from gateway.endpoint import Endpoint
from gateway.why import Denied, denied, unreachable

LONGEST_PROBE_S = 5.0
LIST_KEPT_S = 10.0
"""How long a list of models, or the word that there is none, is believed."""
_NO_SUCH_ROUTE = (404, 405, 501)


@dataclass(frozen=True, slots=True)
class Verdict:
    """usable: whether requests can be sent; why: in words, also where they can."""

    usable: bool
    why: str


class Probe:
    """The engine's state as last seen.

    healthy: None before the first answer; why: in words; checked_s: when that was known (monotonic); models:
    served model names and models_body: the engine's own `/v1/models` answer, both kept when the engine goes
    away; models_why: why there is none.

    `/health` is asked first, but an engine need not have it: without one its list of models counts, and
    without that whether it takes chats.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        interval_s: float,
        breaker: Breaker,
        log: FilteringBoundLogger,
        *,
        clients_bring_keys: bool,
        cache: CacheProbe | None = None,
    ) -> None:
        """clients_bring_keys: whether the engine gets the clients' keys, so that it may refuse ours.
        cache: None where nobody wants to know its size.
        """
        self._endpoint = endpoint
        self._interval_s = interval_s
        self._breaker = breaker
        self._log = log
        self._clients_bring_keys = clients_bring_keys
        self._cache = cache
        self._chat: tuple[float, Verdict] | None = None
        self.healthy: bool | None = None
        self.why = "not probed yet"
        self.checked_s: float | None = None
        self.models: frozenset[str] = frozenset()
        self.models_body: bytes | None = None
        self.models_s: float | None = None
        self.models_why = "not asked yet"

    async def run(self) -> None:
        """Probes for ever; cancel it to stop."""
        keep_s = min(2.0, self._interval_s)
        async with probe_client.client(self._endpoint, LONGEST_PROBE_S, keep_s) as client:
            while True:
                await self._once(client)
                await asyncio.sleep(self._interval_s)

    async def _once(self, client: httpx.AsyncClient) -> None:
        try:
            verdict = await self._verdict(client)
        except httpx.HTTPError as error:
            verdict = Verdict(False, unreachable(error, self._endpoint))
        if verdict.usable:
            self._breaker.reached()
        if verdict != Verdict(bool(self.healthy), self.why):
            say = self._log.info if verdict.usable else self._log.warning
            event = "engine can be used" if verdict.usable else "engine cannot be used"
            say(event, engine=self._endpoint.url, why=verdict.why)
        before, self.healthy, self.why = self.healthy, verdict.usable, verdict.why
        self.checked_s = time.monotonic()
        if self._cache is not None and verdict.usable:
            await self._cache.ask(client, anew=not before)

    async def _verdict(self, client: httpx.AsyncClient) -> Verdict:
        """What the engine's control routes say. Raises httpx.HTTPError when it does not answer."""
        health = await client.get(f"{self._endpoint.url}/health")
        alive = health.is_success and not _is_something_else(health)
        if not alive and not health.is_success and health.status_code not in _NO_SUCH_ROUTE:
            return self._refusal(health) or Verdict(False, f"it answers /health with {health.status_code}")
        if alive and self.models_s is not None and time.monotonic() - self.models_s <= LIST_KEPT_S:
            return Verdict(True, f"status {health.status_code}")
        try:
            models = await client.get(f"{self._endpoint.url}/v1/models")
        except httpx.HTTPError:
            if alive:  # it lives, and is slow with its list
                return Verdict(True, f"status {health.status_code}")
            raise
        listed = self._keep(models)
        refusal = self._refusal(models)
        if refusal is not None:
            return refusal
        if alive:
            return Verdict(True, f"status {health.status_code}")
        if listed:
            return Verdict(True, "it lists its models; it has no /health")
        if not models.is_success and models.status_code not in _NO_SUCH_ROUTE:
            return Verdict(False, f"it answers /v1/models with {models.status_code}")
        return await self._takes_chats(client)

    async def _takes_chats(self, client: httpx.AsyncClient) -> Verdict:
        """Whether there is a chat route, asked with a body that every API refuses; seldom, as for a list."""
        now_s = time.monotonic()
        if self._chat is not None and now_s - self._chat[0] <= LIST_KEPT_S:
            return self._chat[1]
        url = self._endpoint.url
        answer = await client.post(f"{url}/v1/chat/completions", json={})
        if answer.is_success and probe_client.is_page(answer):
            verdict = Verdict(False, f"web pages are at {url}, not an API; is the path right?")
        elif answer.status_code in _NO_SUCH_ROUTE:
            verdict = Verdict(False, f"there is no /v1/chat/completions at {url}; is the path right?")
        else:
            verdict = self._refusal(answer) or Verdict(True, "it takes chats; it has no /health and no list")
        self._chat = now_s, verdict
        return verdict

    def _refusal(self, answer: httpx.Response) -> Verdict | None:
        why = denied(answer.status_code, answer.headers.get("www-authenticate", ""), self._endpoint)
        if why is None:
            return None
        if self._clients_bring_keys and why in (Denied.NO_KEY, Denied.NO_LOGIN):
            return Verdict(True, "it wants a key, which clients bring")
        return Verdict(False, str(why))

    def _keep(self, answer: httpx.Response) -> bool:
        """Remembers a list of models; whether it was one."""
        self.models_why = f"it answers /v1/models with {answer.status_code}"
        if not answer.is_success:
            return False
        try:
            names = [model["id"] for model in orjson.loads(answer.content)["data"]]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self.models_why = "what it answers to /v1/models is no list of models"
            return False
        self.models = frozenset(name for name in names if isinstance(name, str))
        self.models_body = answer.content
        self.models_s = time.monotonic()
        return True


def _is_something_else(health: httpx.Response) -> bool:
    """Whether a 200 says nothing of an engine: web pages, and servers that answer 200 to every path."""
    if probe_client.is_page(health):
        return True
    try:
        said = orjson.loads(health.content) if health.content else None
    except orjson.JSONDecodeError:
        return False
    return isinstance(said, dict) and "error" in said
