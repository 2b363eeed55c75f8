"""How many requests a second, in a sentence that can be read aloud."""

from __future__ import annotations

from experiments.stats.knee import Capacity, CapacityVerdict


def takes(found: Capacity | None) -> str:
    """The largest steady rate that meets the objective, how far it is certain, and what is not known."""
    if found is None:
        return "How many requests a second it takes is not known: no steady rate was measured."
    low = "" if found.low_per_s is None else f"{found.low_per_s:.3g}"
    high = "" if found.high_per_s is None else f"{found.high_per_s:.3g}"
    if found.verdict is CapacityVerdict.BELOW_RANGE:
        return (
            f"It takes fewer than {high} requests a second: that rate surely missed the objective, and no "
            "lower one was measured that met it."
            if high
            else "No measured rate met the objective: it takes fewer requests a second than were tried."
        )
    if found.verdict is CapacityVerdict.NOT_REACHED:
        return (
            f"It takes at least {low} requests a second: every measured rate met the objective, so the limit "
            "lies higher."
            if low
            else "Every measured rate met the objective, though none beyond doubt: the limit was not reached."
        )
    return f"It takes about {found.value_per_s:.3g} requests a second: {_certain(low, high)}."


def _certain(low: str, high: str) -> str:
    if low and high:
        return f"{low} surely meet the objective, {high} surely do not"
    if high:
        return f"{high} surely do not meet the objective, and no measured rate meets it beyond doubt"
    if low:
        return f"{low} surely meet the objective, and no measured rate misses it beyond doubt"
    return "no measured rate meets the objective beyond doubt, and none misses it so"
