"""Whether a setting satisfies every load class, and who is left out of the choice since it does not.

The rule: goodput counts the good requests of every class by its own objective, and by it settings are chosen.
But a large class can hide that a small one starves. So a setting of which it is sure that some class misses
its objective at the nominal load (the 95 % interval of its attainment lies below it whole) is not chosen,
unless that is so of every setting; then the classes that no setting satisfies are named. Nor unless some
setting of which it is not sure serves that class surely better: whoever was measured more often is surer to
miss by a little, which is no reason to take another of which less is known. At the nominal load,
the largest that is not above capacity: above it somebody must miss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.decide.evidence import Evidence, Judged
from experiments.run_folder.recommendation import ClassEvidence
from experiments.stats.stretch import Stretch, attainment_of, stretch_of
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class Satisfying:
    """Who takes part in the choice: of the contenders those that surely miss no class; all where there is
    none. `left_out`: setting → the classes that it surely misses, of those that are left out. `impossible`:
    class → the most of its requests that any setting served in time, where every setting surely misses it.
    `nobody`: whether every setting surely misses some class; `elsewhere`: settings that do not, but were not
    measured at every load and so cannot be chosen."""

    contenders: tuple[Evidence, ...]
    left_out: dict[str, tuple[str, ...]]
    impossible: dict[str, float]
    nobody: bool = False
    elsewhere: tuple[str, ...] = ()


def satisfying(contenders: Sequence[Evidence], others: Sequence[Evidence], load: str, slo: SLO) -> Satisfying:
    """Who satisfies every load class at the nominal load; `others` were not measured at every load."""
    if not slo.classes:
        return Satisfying(tuple(contenders), {}, {})
    seen = {e.setting.name: of_classes(_every(e, load), slo) for e in contenders}
    missed = {name: tuple(one.name for one in of if one.surely_missed) for name, of in seen.items()}
    better = [seen[name] for name, of in missed.items() if not of]
    if better:
        beaten = {name: _beaten(seen[name], of, better) for name, of in missed.items()}
        fit = tuple(e for e in contenders if not beaten[e.setting.name])
        return Satisfying(fit, {name: of for name, of in beaten.items() if of}, {})
    by_all = set.intersection(*(set(of) for of in missed.values()))
    shares = [(one.name, one.attainment) for classes in seen.values() for one in classes]
    best = {name: max(share for of, share in shares if of == name) for name in sorted(by_all)}
    there = {e.setting.name: of_classes(_every(e, load), slo) for e in others}
    elsewhere = [name for name, of in there.items() if of and not any(one.surely_missed for one in of)]
    return Satisfying(tuple(contenders), {}, best, nobody=True, elsewhere=tuple(elsewhere))


def of_classes(judged: Sequence[Judged], slo: SLO) -> tuple[ClassEvidence, ...]:
    """What each load class was served in these cells; () without classes."""
    if not slo.classes:
        return ()
    stretches = [stretch_of(one.cell.rate_per_s, one.trace) for one in judged]
    seconds = sum(one.trace.duration_s for one in judged)
    found = []
    for name, own in slo.classes:
        mine: list[Stretch] = [part for one in stretches for of, part in one.classes if of == name]
        offered, good = sum(one.offered for one in mine), sum(one.good for one in mine)
        if offered:
            share, low, high = attainment_of(mine)
            found.append(
                ClassEvidence(name, str(own), own.attainment, offered, share, low, high, good / seconds)
            )
    return tuple(found)


def _beaten(
    mine: Sequence[ClassEvidence], missed: Sequence[str], better: Sequence[Sequence[ClassEvidence]]
) -> tuple[str, ...]:
    """Of the classes that a setting surely misses those in which one of the others surely does better."""
    own = {one.name: one.attainment for one in mine}
    lows = [(one.name, one.attainment_low) for of in better for one in of]
    return tuple(name for name in missed if any(low > own[name] for other, low in lows if other == name))


def _every(evidence: Evidence, load: str) -> list[Judged]:
    return [*evidence.by_load.get(load, ()), *evidence.confirming.get(load, ())]
