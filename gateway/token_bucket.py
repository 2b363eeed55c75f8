"""Tokens per minute, kept: a token bucket that may go into debt."""

_TRIFLE = 1e-6  # tokens; what adding and taking away may leave of nothing


class TokenBucket:
    """Fills by `per_min` tokens a minute up to as many, and starts full.

    Who comes while it is in debt has to wait; others may take what they need, also more than is left, since
    nobody knows before what a request will cost. So over any T seconds at most per_min · (1 + T / 60) tokens
    are taken, and one request's more. Times are admission's clock.
    """

    __slots__ = ("_at_s", "_level", "_per_min")

    def __init__(self, per_min: float, now_s: float) -> None:
        self._per_min = self._level = per_min
        self._at_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Seconds until it is out of debt if nobody takes more; 0 when it is not in debt."""
        if self._level >= 0:
            return 0.0
        debt = -self._level - self._per_min * (now_s - self._at_s) / 60
        return debt * 60 / self._per_min if debt > _TRIFLE else 0.0

    def take(self, tokens: float, now_s: float) -> None:
        """Takes `tokens`; a negative number is given back. It never holds more than a minute's."""
        most = self._per_min
        level = self._level + most * (now_s - self._at_s) / 60
        level = (level if level < most else most) - tokens
        self._level = level if level < most else most
        self._at_s = now_s

    def refill_from(self, other: "TokenBucket", now_s: float) -> None:
        """Continues `other`, which had another rate perhaps: in the same debt, or as full for its size."""
        other.take(0.0, now_s)
        level = other._level
        self._level = level if level < 0 else self._per_min * level / other._per_min
        self._at_s = now_s
