"""Tokens per minute, kept: a token bucket that may go into debt."""

_BURST_S = 60.0
_TRIFLE = 1e-6  # tokens; what adding and taking away may leave of nothing


class TokenBucket:
    """Fills by `per_min` tokens a minute up to as many, and starts full.

    Who comes while it is in debt has to wait; others may take what they need, also more than is left, since
    nobody knows before what a request will cost. So over any T seconds at most per_min · (1 + T / 60) tokens
    are taken, and one request's more. Times are admission's clock.

    even_s: when it is, or was, neither in debt nor filled, if nobody takes more. A minute ago or earlier
    means full.
    """

    __slots__ = ("_s_per_token", "even_s")

    def __init__(self, per_min: float, now_s: float) -> None:
        self._s_per_token = _BURST_S / per_min
        self.even_s = now_s - _BURST_S

    def wait_s(self, now_s: float) -> float:
        """Seconds until it is out of debt if nobody takes more; 0 when it is not in debt."""
        wait_s = self.even_s - now_s
        return wait_s if wait_s > _TRIFLE * self._s_per_token else 0.0

    def take(self, tokens: float, now_s: float) -> None:
        """Takes `tokens`; a negative number is given back. It never holds more than a minute's."""
        full_s = now_s - _BURST_S
        self.even_s = (self.even_s if self.even_s > full_s else full_s) + tokens * self._s_per_token

    def refill_from(self, other: "TokenBucket", now_s: float) -> None:
        """Continues `other`, which had another rate perhaps: in the same debt, or as full for its size."""
        behind_s = other.even_s - now_s
        if behind_s > 0:
            behind_s *= self._s_per_token / other._s_per_token
        self.even_s = now_s + behind_s
