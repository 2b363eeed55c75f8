"""How many requests a second, in a sentence that can be read aloud."""

from __future__ import annotations

from experiments.stats.knee import Capacity, CapacityVerdict


def takes(found: Capacity | None, who: str = "It") -> str:
    """The largest steady rate that meets the objective, how far it is certain, and what is not known; `who`:
    the setting, as a sentence begins with it."""
    if found is None:
        return "How many requests a second it takes is not known: no steady rate was measured."
    low = "" if found.low_per_s is None else f"{found.low_per_s:.3g}"
    high = "" if found.high_per_s is None else f"{found.high_per_s:.3g}"
    if found.verdict is CapacityVerdict.BELOW_RANGE:
        return (
            f"{who} takes fewer than {high} requests a second: that rate surely missed the objective, and no "
            "lower one was measured that met it."
            if high
            else f"{who} met the objective at no measured rate: it takes fewer requests a second than that."
        )
    if found.verdict is CapacityVerdict.NOT_REACHED:
        return (
            f"{who} takes at least {low} requests a second: every measured rate met the objective, so the "
            "limit lies higher."
            if low
            else f"{who} met the objective at every measured rate, though at none beyond doubt: the limit "
            "was not reached."
        )
    return f"{who} takes about {found.value_per_s:.3g} requests a second: {_certain(low, high)}."


def in_short(found: Capacity) -> str:
    """`takes 24.1/s (22 to 26.3)`: for one of many."""
    low, high = found.low_per_s, found.high_per_s
    if found.verdict is CapacityVerdict.FOUND:
        known = f"takes {found.value_per_s:.3g}/s"
        if low is not None and high is not None:
            return f"{known} ({low:.3g} to {high:.3g})"
        if high is not None:
            return f"{known} (at most {high:.3g})"
        return known if low is None else f"{known} (at least {low:.3g})"
    if found.verdict is CapacityVerdict.NOT_REACHED:
        return "" if low is None else f"takes at least {low:.3g}/s"
    return "" if high is None else f"takes less than {high:.3g}/s"


def _certain(low: str, high: str) -> str:
    if low and high:
        return f"{low} surely meet the objective, {high} surely do not"
    if high:
        return f"{high} surely do not meet the objective, and no measured rate meets it beyond doubt"
    if low:
        return f"{low} surely meet the objective, and no measured rate misses it beyond doubt"
    return "no measured rate meets the objective beyond doubt, and none misses it so"
