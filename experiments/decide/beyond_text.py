"""What the recommended setting does on a slower engine, and above its capacity, in sentences that can be read
aloud."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.run_folder.recommendation import LoadEvidence
from experiments.stats.overload import Overload, short_span
from experiments.twin.cliff import FARTHEST, KEPT, SpeedMargin

ON_A_CLIFF = 0.02
"""A margin of speed below this is one that two runs on one machine may differ by."""
_KEPT = f"{KEPT:.0%}"


def on_a_slower_engine(loads: Sequence[LoadEvidence]) -> list[str]:
    """A sentence on the load that gives way first of those that meet the objective, and one on that of those
    that miss it; none where it is not known."""
    known = [(at.load, at.speed_margin) for at in loads if at.speed_margin is not None]
    said = []
    for objective in (True, False):
        of = [(load, margin) for load, margin in known if margin.objective == objective]
        if of:
            said.append(_sentence(*min(of, key=lambda one: one[1].margin)))
    return said


def _sentence(load: str, margin: SpeedMargin) -> str:
    if margin.objective:
        if margin.margin >= FARTHEST:
            return f"It still meets the objective on an engine {FARTHEST:.0%} slower."
        if margin.margin < ON_A_CLIFF:
            return f"It stands on a cliff: an engine {ON_A_CLIFF:.0%} slower misses the objective at {load}."
        up_to = f"{margin.margin:.0%}"
        return f"It still meets the objective on an engine up to {up_to} slower; {load} gives way first."
    where = f"At {load}, which misses the objective anyway,"
    if margin.margin >= FARTHEST:
        return f"{where} {_KEPT} of its good requests are left on an engine {FARTHEST:.0%} slower."
    if margin.margin < ON_A_CLIFF:
        lost = f"more than {1 - KEPT:.0%} of the good requests"
        return f"{where} it stands on a cliff: an engine {ON_A_CLIFF:.0%} slower loses {lost}."
    return f"{where} {_KEPT} of its good requests are left on an engine up to {margin.margin:.0%} slower."


def above(found: Overload | None) -> str:
    """What happens above the capacity, a sentence; "" where that is not known."""
    if found is None:
        return ""
    parts = [f"it keeps {found.kept_ratio:.0%} of the goodput"]
    if found.shed_ratio >= 0.005:
        parts.append(f"sheds {found.shed_ratio:.0%}")
    if found.refused_p95_s is not None:
        parts.append(f"answers a refusal within {short_span(found.refused_p95_s)}")
    if found.waited_p95_s is not None:
        parts.append(f"lets go of who waited in vain after {short_span(found.waited_p95_s)}")
    listed = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
    return f"Under {found.load_ratio:.2g} times as many {listed}."
