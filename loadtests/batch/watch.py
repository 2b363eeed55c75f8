"""Looks at the gateway's metrics again and again, and says whether the others leave something."""

from __future__ import annotations

from collections import deque

import httpx

from loadtests.batch.others import Look, Pause, own_waiting, pause

LOOK_EVERY_S = 0.5
SINCE_S = 5.0
"""What grew is judged over so long; so a pause lasts at least as long after the last reason for it."""
MOST_PAGE_BYTES = 16 * 2**20


class Watch:
    """pause: why nothing should be sent now; waiting: how many of ours the gateway holds in its queue.

    sees: whether the server has shown itself as a gateway; one that never did is left to its refusals.
    """

    def __init__(self, client: httpx.AsyncClient, ttft_s: float | None) -> None:
        """client: of the gateway; ttft_s: the others' objective, None for none."""
        self._client = client
        self._ttft_s = ttft_s
        self._looks: deque[tuple[float, Look]] = deque()
        self.sees = False
        self.pause: Pause | None = None
        self.waiting = 0

    async def look(self, own: str, now_s: float) -> None:
        """Looks once. own: the lane of the batch; now_s: monotonic seconds."""
        found = await self._page()
        if found is None:
            self.pause = Pause.NO_LOOK if self.sees else None
            self.waiting = 0
            return
        self.sees = True
        while len(self._looks) > 1 and self._looks[1][0] <= now_s - SINCE_S:
            self._looks.popleft()
        before = self._looks[0][1] if self._looks else None
        self.pause = pause(before, found, own, self._ttft_s)
        self.waiting = own_waiting(found, own)
        self._looks.append((now_s, found))

    async def _page(self) -> Look | None:
        try:
            async with self._client.stream("GET", "/metrics") as response:
                content = bytearray()
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > MOST_PAGE_BYTES:
                        return None
            return Look.of(content.decode("utf-8", "replace")) if response.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            return None
