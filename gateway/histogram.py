"""A histogram that costs a bisection per observation and nothing per bucket until someone scrapes it."""

from bisect import bisect_left
from itertools import accumulate

# 25 buckets a decade: each bound is 9.6 % above the one before, from 1 ms to an hour.
BOUNDS_S = tuple(float(f"{10 ** (k / 25):.4g}") for k in range(-75, 90))
_LABELS = tuple(f"{bound:g}" for bound in BOUNDS_S)


class Histogram:
    """Counts of observations in seconds: one series of a Prometheus histogram. For one thread: no locks."""

    __slots__ = ("_labels", "_text", "_text_at", "count", "counts", "name", "total_s")

    def __init__(self, name: str, labels: str = "") -> None:
        """labels: `outcome="ok"` or empty."""
        self.name = name
        self._labels = labels
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.count = 0
        self.total_s = 0.0
        self._text = ""
        self._text_at = -1

    def observe(self, value_s: float) -> None:
        self.counts[bisect_left(BOUNDS_S, value_s)] += 1
        self.count += 1
        self.total_s += value_s

    def text(self) -> str:
        """The series in the exposition format; made again only when something was observed since."""
        if self._text_at != self.count:
            self._text_at = self.count
            self._text = self._render()
        return self._text

    def _render(self) -> str:
        inner = f"{self._labels}," if self._labels else ""
        outer = f"{{{self._labels}}}" if self._labels else ""
        lines = [
            f'{self.name}_bucket{{{inner}le="{bound}"}} {count}'
            for bound, count in zip((*_LABELS, "+Inf"), accumulate(self.counts), strict=True)
        ]
        lines.append(f"{self.name}_sum{outer} {self.total_s!r}")
        lines.append(f"{self.name}_count{outer} {self.count}")
        return "\n".join(lines)
