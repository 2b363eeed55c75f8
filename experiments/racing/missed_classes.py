"""Settings that a race need not go on with, however much they serve: of which it is sure that a load class
misses its own objective.

Goodput counts the good requests of all classes together, so a large class can win a race for a setting under
which a small one starves. The rule is that of the recommendation (`decide.load_classes`), at the same load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from experiments.racing.course import Course
from experiments.racing.judged_stretch import JudgedStretch
from experiments.racing.standing import HARDLY, LEAST_BLOCKS
from experiments.stats.stretch import Stretch, attainment_of, stretch_of

Missed = Mapping[int, tuple[str, ...]]
"""Place of a setting → the classes that it surely misses."""


def missed_classes(course: Course, stretches: Sequence[JudgedStretch]) -> Missed:
    """Of the usable stretches at the nominal load; nobody where there are no classes, or where it is so of
    every setting. A single stretch is enough only for a share far below the objective."""
    if course.slo is None or not course.slo.classes:
        return {}
    here = [s for s in stretches if s.usable and s.cell.load == course.nominal]
    found = {i: _missed(course, _of(here, course, i)) for i in range(len(course.settings))}
    missed = {i: names for i, names in found.items() if names}
    return missed if len(missed) < len(course.settings) else {}


def _of(here: Sequence[JudgedStretch], course: Course, i: int) -> list[JudgedStretch]:
    """The stretches of a setting, its own or those that stand for one: one a block."""
    setting = course.settings[i]
    mine = sorted(
        (s for s in here if s.stands_for(replace(s.cell, setting=setting))),
        key=lambda s: s.cell.setting != setting,
    )
    return list({s.cell.block: s for s in reversed(mine)}.values())


def _missed(course: Course, mine: Sequence[JudgedStretch]) -> tuple[str, ...]:
    assert course.slo is not None, "whoever asks has one"
    by_class: dict[str, list[Stretch]] = {}
    for one in mine:
        for name, part in stretch_of(one.cell.load.rate_per_s or 0.0, one.trace).classes:
            by_class.setdefault(name, []).append(part)
    found = []
    for name, own in course.slo.classes:
        if name in by_class:
            _, _, high = attainment_of(by_class[name])
            least = own.attainment if len(mine) >= LEAST_BLOCKS else (1 - HARDLY) * own.attainment
            if high < least:
                found.append(name)
    return tuple(found)
