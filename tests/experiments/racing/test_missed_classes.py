"""A race over a mix: who lets a load class starve does not win, however much is served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from experiments.design.cells import Cell
from experiments.racing.course import Course
from experiments.racing.judged_stretch import JudgedStretch
from experiments.racing.missed_classes import missed_classes
from experiments.racing.race import race
from experiments.racing.story import keep, read
from experiments.spec.loads import Load
from experiments.spec.named_lanes import NONE, of_mix
from experiments.spec.setting import Setting
from experiments.stack.engine_knobs import EngineKnobs
from gateway.limits import Limits, QueueOrder
from loadtests.planning.load_class import parse_mix
from loadtests.slo import SLO
from tests.experiments.racing import drawn

CLASSES = parse_mix("big=64x24:0.8@a,small=64x24:0.2@b")
OBJECTIVE = SLO.parse("ttft<=1s,attainment>=0.7").for_classes(["big", "small"], {})
NOMINAL, ABOVE = Load("sustained", 10.0, 0.9), Load("sustained", 14.0, 1.2)
MIX = of_mix(CLASSES)
ALIKE = Setting(Limits(), lanes=NONE)
SHARED = Setting(Limits(queue_order=QueueOrder.FAIR), lanes=MIX)
TIGHT = Setting(Limits(max_active=1), lanes=NONE)
GOOD = {ALIKE: (1.0, 0.3), SHARED: (0.8, 0.82), TIGHT: (0.2, 0.1)}
"""Setting → the part of each class that is served in time: without lanes more in all, but the small one
starves."""


def course(settings: Sequence[Setting] = tuple(GOOD), slo: SLO | None = OBJECTIVE) -> Course:
    return Course(tuple(settings), (NOMINAL, ABOVE), float("inf"), lambda _: 50.0, slo=slo)


def stretch(cell: Cell) -> JudgedStretch:
    """Every fifth request is of the small class."""
    plain = drawn.stretch(cell)
    classes = np.where(np.arange(len(plain.trace.due_s)) % 5 == 0, "small", "big")
    luck = np.random.default_rng([len(cell.setting.name), cell.block]).random(len(classes))
    share = np.where(classes == "small", GOOD[cell.setting][1], GOOD[cell.setting][0])
    return replace(plain, trace=replace(plain.trace, good=luck < share, classes=classes))


@dataclass
class Measurer:
    spent_s: float = 0.0
    done: list[JudgedStretch] = field(default_factory=list)

    def measure(self, cells: Sequence[Cell]) -> None:
        self.done += [stretch(cell) for cell in cells]
        self.spent_s += 50.0 * len(cells)

    def seen(self) -> Sequence[JudgedStretch]:
        return self.done


def test_who_starves_a_class_leaves_and_another_wins() -> None:
    """Judged by goodput alone the one without lanes would have won."""
    raced = race(course(), Measurer())
    assert raced.winner == 1
    gone = {one.place: one.missed for one in raced.left}
    assert gone[0] == ("small",)
    plain = race(course(slo=replace(OBJECTIVE, classes=())), Measurer())
    assert plain.winner == 0


def test_the_story_says_for_which_classes(tmp_path: Path) -> None:
    """It is kept with the run."""
    keep(tmp_path, EngineKnobs(), course(), race(course(), Measurer()))
    story = read(tmp_path)
    assert story is not None
    assert story.races[0].places[0].missed == ("small",)


def test_where_every_setting_misses_a_class_nobody_is_out() -> None:
    """Else there would be nothing to recommend. A single stretch is enough only for what is far off."""
    both = course((ALIKE, TIGHT))
    at_once = [stretch(Cell(setting, NOMINAL, 0)) for setting in both.settings]
    assert missed_classes(both, at_once) == {}
    assert set(missed_classes(course(), [*at_once, stretch(Cell(SHARED, NOMINAL, 0))])) == {0, 2}
    above = [stretch(Cell(setting, ABOVE, 0)) for setting in GOOD]
    assert missed_classes(course(), above) == {}, "above capacity somebody must miss"
