"""How long a refused client should wait: measured, not guessed."""

from collections import deque
from random import Random

LONGEST_S = 120.0  # the OpenAI SDK does not retry at all when told to wait longer
SHORTEST_S = 0.1
REMEMBERED = 64
FORGOTTEN_AFTER_S = 60.0


class DrainRate:
    """Slots freed per second, over the last 64 releases of the last minute, and the wait
    for a newcomer that follows from it.

    wait = (waiting + 1) / rate, times a jitter of 1.0 to 1.25, between 0.1 and 120 s. The jitter keeps
    clients that were refused together from coming back together.
    """

    def __init__(self, random: Random | None = None) -> None:
        self._released_s: deque[float] = deque(maxlen=REMEMBERED)
        self._random = random or Random()

    def released(self, now_s: float) -> None:
        """A slot came free."""
        self._released_s.append(now_s)

    def per_second(self, now_s: float) -> float | None:
        """Releases per second up to now, or None while fewer than two are remembered."""
        times = self._released_s
        while times and now_s - times[0] > FORGOTTEN_AFTER_S:
            times.popleft()
        if len(times) < 2:
            return None
        return (len(times) - 1) / max(now_s - times[0], 1e-3)

    def wait_s(self, waiting: int, now_s: float) -> float:
        """When a client refused now should come back, seconds."""
        rate_per_s = self.per_second(now_s)
        plain_s = (waiting + 1) / rate_per_s if rate_per_s else 1.0 + waiting * 0.1
        return min(LONGEST_S, max(SHORTEST_S, plain_s) * (1 + 0.25 * self._random.random()))
