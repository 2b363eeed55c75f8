"""The recommendation as a terminal shows it: how much, what to set, how sure, what is in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.decide.beyond_text import above, on_a_slower_engine
from experiments.decide.capacity_text import takes
from experiments.decide.recommended_files import LANES_FILE
from experiments.run_folder.recommendation import LoadEvidence, Neighbour, Recommendation, Standing
from experiments.spec.durations import about

_NAMED = 4


def show(recommended: Recommendation, env_path: Path) -> str:
    """The recommendation for a terminal."""
    lines = [takes(recommended.capacity)]
    lines += today(recommended.neighbours)
    lines += [f"Recommended for {recommended.slo} on {recommended.engine}:"]
    lines += [f"  {key}={value}" for key, value in recommended.env.items()]
    lanes = recommended.setting.lanes
    if lanes is not None:
        lines += [
            f"  lanes {lanes.name}: {env_path.parent / LANES_FILE}" if lanes.lanes.shared else "  no lanes"
        ]
    lines += [f"  to apply: {env_path}", "With it:"]
    for at in recommended.loads:
        lines += [f"  {under(at)}", *(f"    {one}" for one in of_classes(at))]
    lines += [f"  {above(recommended.overload)}"] if recommended.overload else []
    lines += [f"  {sentence}" for sentence in on_a_slower_engine(recommended.loads)]
    lines += ["How sure:", f"  {recommended.why}"]
    lines += [f"  {sentence}" for sentence in how_sure(recommended.neighbours)]
    lines += ["In doubt:"] if recommended.doubts else []
    lines += [f"  - {doubt}" for doubt in recommended.doubts]
    return "\n".join(lines)


def today(neighbours: Sequence[Neighbour]) -> list[str]:
    """How much the current setting takes, where it was in the run and is not the recommended one."""
    return [
        takes(one.capacity, f"Today's setting ({one.name})")
        for one in neighbours
        if one.current and one.capacity is not None
    ][:1]


def under(at: LoadEvidence) -> str:
    """The recommended setting at one load, in a sentence."""
    goodput = at.goodput_per_s
    where = f"at {at.load}"
    if at.rate_per_s is not None:
        where += f", where {at.rate_per_s:.3g} requests a second arrive"
    interval = "" if goodput.low is None else f" (95 %: {goodput.low:.2f} to {goodput.high:.2f})"
    source = " as predicted, not measured" if at.measured is False else ""
    source = ", on arrivals that took no part in the choice" if at.confirmed else source
    return (
        f"{where}, {goodput.value:.2f} a second meet the objective{interval}: {at.attainment:.1%} of "
        f"what was offered{source}"
    )


def of_classes(at: LoadEvidence) -> list[str]:
    """What each load class has of it, a clause each; none without classes."""
    return [
        f"{one.name}: {one.attainment:.1%} of {one.offered} (95 %: {one.attainment_low:.1%} to "
        f"{one.attainment_high:.1%}), {'meets' if one.met else 'misses'} {one.slo}"
        for one in at.classes
    ]


def how_sure(neighbours: Sequence[Neighbour]) -> list[str]:
    """Sentences on what could be told apart and what not; none where it is not known how they stand."""
    by: dict[Standing, list[Neighbour]] = {}
    for one in neighbours:
        if one.standing is not None:
            by.setdefault(one.standing, []).append(one)
    known = sum(map(len, by.values()))
    said = []
    if worse := by.get(Standing.WORSE):
        said.append(f"{len(worse)} of {known} other settings {_are(worse)} surely worse.")
    if probably := by.get(Standing.PROBABLY_WORSE):
        said.append(
            f"Probably worse, but measured too little to be sure: {_names(probably)}.{_time(probably)}"
        )
    if equal := by.get(Standing.EQUAL):
        said.append(f"Within 3 % of it at every load: {_names(equal)}.")
    if open_ := by.get(Standing.CANT_TELL):
        said.append(f"Not told apart from it: {_names(open_)}.{_time(open_)}")
    if missing := by.get(Standing.NOT_COMPARED):
        said.append(f"Not compared, for want of common arrivals: {_names(missing)}.")
    return said


def _are(neighbours: Sequence[Neighbour]) -> str:
    return "is" if len(neighbours) == 1 else "are"


def _names(neighbours: Sequence[Neighbour]) -> str:
    names = [one.name for one in neighbours[:_NAMED]]
    more = len(neighbours) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _time(neighbours: Sequence[Neighbour]) -> str:
    """What it would take to find a difference of 5 % in each of them."""
    known = [one.further_s for one in neighbours if one.further_s]
    if not known:
        return ""
    return f" About {about(sum(known))} more would find a difference of 5 %."
