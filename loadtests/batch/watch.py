"""Looks at the gateway's metrics."""

from __future__ import annotations

import httpx

from loadtests.batch.others import Look

LOOK_EVERY_S = 0.5
MOST_PAGE_BYTES = 16 * 2**20


class Watch:
    """Reads `/metrics` of a server that may be a gateway."""

    def __init__(self, client: httpx.AsyncClient, ttft_s: float | None) -> None:
        """client: of the server; ttft_s: the others' objective, None for none."""
        self._client = client
        self._ttft_s = ttft_s

    async def look(self) -> Look | None:
        """The gateway as it is now; None where it does not show itself."""
        try:
            async with self._client.stream("GET", "/metrics") as response:
                content = bytearray()
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > MOST_PAGE_BYTES:
                        return None
            page = content.decode("utf-8", "replace")
            return Look.of(page, self._ttft_s) if response.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            return None
