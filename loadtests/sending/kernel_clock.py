"""The kernel's stamps of received bytes, which are wall time, on the monotonic clock.

The wall clock may be set while a load runs. What lies between it and the monotonic clock is therefore looked
at before every batch of stamps, and a stamp of which it is not certain how to convert it is not used.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_LOOKS = 5
_NARROW_NS = 20_000
_STEP_NS = 1_000_000
"""Less than this between two looks is taken for an adjustment of the clock's speed, or for the looking."""
_FASTEST_DRIFT = 1_000
"""One part in so many: the kernel adjusts a clock's speed by half of that."""


class KernelClock:
    """Converts stamps; `steps` counts the looks at which the wall clock had been set."""

    def __init__(
        self, monotonic_ns: Callable[[], int] = time.monotonic_ns, wall_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._monotonic_ns, self._wall_ns = monotonic_ns, wall_ns
        self._ahead_ns, self._looked_ns = self._compare()
        self._steady = True
        self.steps = 0

    def look(self) -> None:
        """Compare the clocks; to be called before a batch of stamps is converted."""
        ahead_ns, now_ns = self._compare()
        may_drift_ns = _STEP_NS + (now_ns - self._looked_ns) // _FASTEST_DRIFT
        self._steady = abs(ahead_ns - self._ahead_ns) <= may_drift_ns
        self.steps += not self._steady
        self._ahead_ns, self._looked_ns = ahead_ns, now_ns

    def arrival_s(self, stamp_ns: int, not_before_s: float) -> float | None:
        """When bytes with this stamp arrived, seconds on the monotonic clock.

        None where the stamp cannot be trusted: the clock was set since the look before the last, or the
        result is in the future or before `not_before_s`, when the bytes cannot have been there.
        """
        if not self._steady:
            return None
        at_ns = stamp_ns - self._ahead_ns
        if at_ns > self._looked_ns:  # it came while the batch is being read, or the clock was set meanwhile
            now_ns = self._monotonic_ns()
            if at_ns > now_ns + _STEP_NS:
                return None
            at_ns = min(at_ns, now_ns)
        at_s = at_ns / 1e9
        if at_s < not_before_s:
            return not_before_s if at_s > not_before_s - _STEP_NS / 1e9 else None
        return at_s

    def _compare(self) -> tuple[int, int]:
        """By how much the wall clock is ahead, and when that was; read again where the process was
        interrupted in between."""
        for _ in range(_LOOKS):
            before_ns = self._monotonic_ns()
            wall_ns = self._wall_ns()
            after_ns = self._monotonic_ns()
            if after_ns - before_ns <= _NARROW_NS:
                break
        return wall_ns - (before_ns + after_ns) // 2, after_ns
