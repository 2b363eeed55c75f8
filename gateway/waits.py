"""How long refused clients are told to wait."""

from gateway.lane_book import KnownLane
from gateway.metrics import Metrics
from gateway.outcome import Outcome
from gateway.refusal import Refusal
from gateway.waiting import WaitingRoom


class Waits:
    """Told by the measured drain rate, or by the budget that is used up, and counted."""

    def __init__(self, room: WaitingRoom, metrics: Metrics) -> None:
        self._room = room
        self._metrics = metrics

    def tell_s(self, outcome: Outcome, lane: KnownLane | None = None, least_s: float = 0.0) -> float:
        """For one more client that is refused so, seconds."""
        if outcome is Outcome.OVER_BUDGET and lane is not None:
            wait_s = self._room.budget_wait_s(lane.name)
        else:
            wait_s = max(least_s, self._room.wait_s())
        self._metrics.retry_after.observe(wait_s)
        return wait_s

    def complete(self, refusal: Refusal, told_s: float | None = None, lane: KnownLane | None = None) -> None:
        """Fills in a refusal's wait: where it has none though waiting helps, and where the engine has told
        one (told_s), which then is the least. lane: of the request, where there are some.
        """
        if told_s is not None or (refusal.come_back and refusal.wait_s is None):
            refusal.wait_s = self.tell_s(refusal.outcome, lane, told_s or 0.0)
