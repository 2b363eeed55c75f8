"""A dead engine must not cost every client a connect timeout: after several, requests are refused at once."""

from enum import IntEnum


class BreakerState(IntEnum):
    """The value of `gateway_breaker_state`."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Counts failures to reach the engine in a row. Failures after the first byte of an answer do not count.

    Open: `allows` is False until the cool-down is over, then one request tries (half open) and decides.
    """

    def __init__(self, failures: int, cooldown_s: float) -> None:
        self._failures = failures
        self._cooldown_s = cooldown_s
        self._in_a_row = 0
        self._opened_s = 0.0
        self.state = BreakerState.CLOSED

    def allows(self, now_s: float) -> bool:
        """Whether a request may try now; True on an open breaker makes this request the trial."""
        if self.state is BreakerState.CLOSED:
            return True
        if now_s - self._opened_s < self._cooldown_s:
            return False
        # A trial that never reports back (its client left) is forgotten after another cool-down.
        self.state = BreakerState.HALF_OPEN
        self._opened_s = now_s
        return True

    def reached(self) -> None:
        """The engine answered, with whatever status."""
        self._in_a_row = 0
        self.state = BreakerState.CLOSED

    def unreachable(self, now_s: float) -> None:
        """The engine could not be reached."""
        self._in_a_row += 1
        if self._in_a_row >= self._failures:
            self.state = BreakerState.OPEN
            self._opened_s = now_s
