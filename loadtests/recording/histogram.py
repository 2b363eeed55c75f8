"""A log-spaced histogram: 1 % wide buckets, merged by addition. For the live view only;
results use exact samples."""

from __future__ import annotations

import math

from loadtests.recording.quantiles import rank

_WIDTH = math.log(1.01)


class Histogram:
    """Counts of positive values; quantiles to within 0.5 %."""

    __slots__ = ("_buckets", "n", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.n = 0
        self.total = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """Count a value; values of 1 µs and less share the lowest bucket."""
        key = math.floor(math.log(max(value, 1e-6)) / _WIDTH)
        self._buckets[key] = self._buckets.get(key, 0) + times
        self.n += times
        self.total += value * times

    def quantile(self, q: float) -> float | None:
        """The middle of the bucket that holds the q-quantile; None when empty."""
        place = rank(self.n, q)
        passed = 0
        for key in sorted(self._buckets):
            passed += self._buckets[key]
            if passed > place:
                return math.exp((key + 0.5) * _WIDTH)
        return None


def bucket_ms(milliseconds: float) -> float:
    """Locust's rounding of response times, replaced: to 1 % instead of to two digits (up to 5 %)."""
    if milliseconds <= 0:
        return 0.0
    return round(math.exp(round(math.log(milliseconds) / _WIDTH) * _WIDTH), 3)
