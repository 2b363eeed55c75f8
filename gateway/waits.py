"""How long refused clients are told to wait."""

from gateway.metrics import Metrics
from gateway.refusal import Refusal
from gateway.waiting import WaitingRoom


class Waits:
    """Told by the measured drain rate, and counted."""

    def __init__(self, room: WaitingRoom, metrics: Metrics) -> None:
        self._room = room
        self._metrics = metrics

    def tell_s(self, least_s: float = 0.0) -> float:
        """For one more client, seconds."""
        wait_s = max(least_s, self._room.wait_s())
        self._metrics.retry_after.observe(wait_s)
        return wait_s

    def complete(self, refusal: Refusal, told_s: float | None = None) -> None:
        """Fills in a refusal's wait: where it has none though waiting helps, and where the engine has told
        one (told_s), which then is the least.
        """
        if told_s is not None or (refusal.come_back and refusal.wait_s is None):
            refusal.wait_s = self.tell_s(told_s or 0.0)
