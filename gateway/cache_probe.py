"""Asks the engine in the background how many tokens its KV cache holds, for `SLOT_COST=tokens`."""

import time

import httpx

from gateway.endpoint import Endpoint
from gateway.token_slots import TokenSlots, cache_size
from gateway.why import unreachable

TOLD_FOR_S = 10.0
"""How long a size is believed of an engine that stays usable."""
_REMEDY = "set KV_TOKENS"


class CacheProbe:
    """To be used by the probe, where the engine has just been found usable."""

    def __init__(self, endpoint: Endpoint, slots: TokenSlots) -> None:
        self._endpoint = endpoint
        self._slots = slots
        self._told_s: float | None = None

    async def ask(self, client: httpx.AsyncClient, *, anew: bool) -> None:
        """anew: it was not usable before, and may be another one. Nothing where slots do not count tokens."""
        if not self._slots.wanted:
            return
        now_s = time.monotonic()
        if not anew and self._told_s is not None and now_s - self._told_s < TOLD_FOR_S:
            return
        try:
            answer = await client.get(f"{self._endpoint.url}/metrics")
        except httpx.HTTPError as error:
            self._slots.untold(f"the engine's /metrics: {unreachable(error, self._endpoint)}; {_REMEDY}")
            return
        size = cache_size(answer.text) if answer.is_success else None
        if size is None:
            why = f"the engine's /metrics ({answer.status_code}) has no vllm:cache_config_info; {_REMEDY}"
            self._slots.untold(why)
        else:
            self._told_s = now_s
            self._slots.told(size.tokens, "vllm:cache_config_info", size.block_tokens)
