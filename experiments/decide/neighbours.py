"""The settings that were not chosen: how each stands against the chosen one on the arrivals that both met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from experiments.decide.evidence import Evidence, common
from experiments.run_folder.recommendation import Neighbour, Standing
from experiments.spec.durations import about
from experiments.stats.goodput import Interval
from experiments.stats.paired import DELTA, Verdict, compare


@dataclass(frozen=True, slots=True)
class Ground:
    """What every neighbour is held against: the chosen setting, the loads that are judged, the span that
    bootstrap draws are made of."""

    chosen: Evidence
    loads: Sequence[str]
    span_s: float


def neighbour(ground: Ground, other: Evidence, shift_per_s: float, regret: float) -> Neighbour:
    """Another setting with the load at which it does worst against the chosen one.

    Args:
        shift_per_s: what brings its goodput at the hardest of its loads to the chosen one's arrivals.
        regret: of its goodputs, brought to the same arrivals, at the loads where it was measured.
    """
    own = hardest(other, [load for load in ground.loads if load in other.by_load] or list(other.by_load))
    gaps = {
        load: gap
        for load in ground.loads
        if (gap := ground.chosen.difference(other, load, ground.span_s)) is not None
    }
    standing = _standing(ground, other, gaps)
    further_s = _further_s(ground, other) if standing is Standing.CANT_TELL else None
    return Neighbour(
        setting=other.setting,
        name=other.setting.name,
        goodput_per_s=_shifted(other.goodput(own, ground.span_s), shift_per_s),
        worst_regret=regret,
        why_not=_left(ground, other) + _why_not(standing, gaps, further_s),
        standing=standing,
        stretches=other.stretches,
        further_s=further_s,
    )


def hardest(evidence: Evidence, loads: Sequence[str]) -> str:
    """The load with the largest rate."""
    return max(loads, key=lambda load: evidence.by_load[load][0].cell.rate_per_s)


def _standing(ground: Ground, other: Evidence, gaps: dict[str, Interval]) -> Standing:
    if any(gap.above_zero for gap in gaps.values()):
        return Standing.WORSE
    if not gaps:
        return Standing.NOT_COMPARED
    verdicts = [verdict for verdict, _, _ in _verdicts(ground, other)]
    equal = len(verdicts) == len(ground.loads) and set(verdicts) == {Verdict.EQUAL}
    return Standing.EQUAL if equal else Standing.CANT_TELL


def _verdicts(ground: Ground, other: Evidence) -> list[tuple[Verdict, int, float]]:
    """At each load with common arrivals: the verdict, the blocks that would tell, and the seconds that one of
    them takes on both sides."""
    found = []
    for load in ground.loads:
        pairs = common(ground.chosen.by_load[load], other.by_load.get(load, ()))
        if not pairs:
            continue
        seen = compare(
            [b.trace.goodput_per_s for _, b in pairs],
            [a.trace.goodput_per_s for a, _ in pairs],
            resolution=1 / min(a.trace.duration_s for a, _ in pairs),
        )
        block_s = 2 * max(a.cell.summary.window.end_s for a, _ in pairs)
        found.append((seen.verdict, seen.further_blocks, block_s))
    return found


def _further_s(ground: Ground, other: Evidence) -> float | None:
    """The load that would tell soonest."""
    times = [blocks * block_s for _, blocks, block_s in _verdicts(ground, other) if blocks]
    return min(times, default=None)


def _left(ground: Ground, other: Evidence) -> str:
    """What it was measured on, where that is not all that the chosen one was."""
    if all(len(other.by_load.get(load, ())) >= len(ground.chosen.by_load[load]) for load in ground.loads):
        return ""
    where = ", ".join(f"{count_of(n)} at {load}" for load, n in other.stretches.items())
    return f"measured on {where}: "


def count_of(stretches: int) -> str:
    """`1 stretch`, `3 stretches`."""
    return f"{stretches} stretch{'es' * (stretches != 1)}"


def _why_not(standing: Standing, gaps: dict[str, Interval], further_s: float | None) -> str:
    if standing is Standing.NOT_COMPARED:
        return "not compared, since it met none of the arrivals that the recommended setting met"
    load = max(gaps, key=lambda name: (gaps[name].above_zero, gaps[name].value))
    gap = gaps[load]
    if standing is Standing.WORSE:
        return (
            f"{gap.value:.2f} good requests a second fewer at {load} (95 %: {gap.low:.2f} to {gap.high:.2f})"
        )
    if gap.low is None or gap.high is None:
        return f"cannot be told apart: the window at {load} is too short for an interval"
    less = f"{abs(gap.value):.2f} good requests a second {'fewer' if gap.value >= 0 else 'more'} at {load}"
    said = f"{less}, 95 %: {_less(gap.low, gap.high)}"
    if standing is Standing.EQUAL:
        return f"equal within {DELTA:.0%} at every load ({said})"
    time = f"; about {about(further_s)} more would tell" if further_s else ""
    return f"cannot be told apart at any load ({said}){time}"


def _less(low: float, high: float) -> str:
    """An interval around zero: `0.20 more to 0.45 fewer`."""
    ends = [f"{abs(end):.2f} {'more' if end < 0 else 'fewer'}" for end in (low, high)]
    return " to ".join(ends)


def _shifted(interval: Interval, by_per_s: float) -> Interval:
    if not by_per_s:
        return interval
    low, high = interval.low, interval.high
    return replace(
        interval,
        value=max(0.0, interval.value + by_per_s),
        low=None if low is None else max(0.0, low + by_per_s),
        high=None if high is None else max(0.0, high + by_per_s),
    )
