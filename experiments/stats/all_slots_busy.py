"""The rate at which a full house serves: what a system can do, read from the moments in which it had to."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SaturatedRate:
    """Seconds in which every slot was busy, and requests that ended in them."""

    full_s: float
    ended: int

    def load_ratio(self, offered_per_s: float) -> float | None:
        """Offered rate over the full house's rate; None with fewer than twenty ends to judge by.

        For an engine that slows down with more requests at once it is the ratio at the full house, also
        where a short queue keeps the house from being full.
        """
        return None if self.ended < 20 else offered_per_s * self.full_s / self.ended


def all_slots_busy(
    starts_s: Floats, ends_s: Floats, slots: int, window_s: tuple[float, float]
) -> SaturatedRate:
    """From the times at which requests got and gave back their slots: (n,) each, seconds."""
    times = np.concatenate([starts_s, ends_s])
    steps = np.concatenate([np.ones(len(starts_s)), -np.ones(len(ends_s))])
    order = np.lexsort((steps, times))  # at one instant ends come first: the slot is handed on
    times, steps = times[order], steps[order]
    busy_before = np.concatenate([[0.0], np.cumsum(steps)[:-1]])
    inside = (times >= window_s[0]) & (times <= window_s[1])
    spans = np.diff(np.clip(times, *window_s), prepend=window_s[0])
    full = busy_before >= slots
    return SaturatedRate(float(spans[full].sum()), int((full & inside & (steps < 0)).sum()))
