"""A log-spaced histogram: 1 % wide buckets, merged by addition. For the live view only;
results use exact samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

from loadtests.recording.quantiles import rank

_WIDTH = math.log(1.01)


class Histogram:
    """Counts of positive values; quantiles to within 0.5 %."""

    __slots__ = ("_buckets", "largest", "n", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.n = 0
        self.total = 0.0
        self.largest: float | None = None

    def add(self, value: float, times: int = 1) -> None:
        """Count a value; values of 1 µs and less share the lowest bucket."""
        key = math.floor(math.log(max(value, 1e-6)) / _WIDTH)
        self._buckets[key] = self._buckets.get(key, 0) + times
        self.n += times
        self.total += value * times
        if self.largest is None or value > self.largest:
            self.largest = value

    def quantile(self, q: float) -> float | None:
        """The middle of the bucket that holds the q-quantile; None when empty."""
        return self.at((rank(self.n, q),))[0] if self.n else None

    def at(self, places: Sequence[int]) -> list[float]:
        """The middles of the buckets that hold these 0-based places of the sorted values, each below n and in
        ascending order."""
        found: list[float] = []
        passed = 0
        for key in sorted(self._buckets):
            passed += self._buckets[key]
            while len(found) < len(places) and passed > places[len(found)]:
                found.append(math.exp((key + 0.5) * _WIDTH))
            if len(found) == len(places):
                break
        return found


def bucket_ms(milliseconds: float) -> float:
    """Locust's rounding of response times, replaced: to 1 % instead of to two digits (up to 5 %)."""
    if milliseconds <= 0:
        return 0.0
    return round(math.exp(round(math.log(milliseconds) / _WIDTH) * _WIDTH), 3)
