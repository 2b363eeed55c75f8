"""Among settings that cannot be told apart the one that stands further from a cliff is taken, also where they
were never run apart."""

import numpy as np

from experiments.design.cells import Cell
from experiments.racing.choice import chosen
from experiments.racing.course import Course
from experiments.racing.judged_stretch import JudgedStretch
from experiments.racing.standing import stand
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.stats.goodput import Trace
from experiments.twin.footprint import Footprint
from gateway.limits import Limits

WIDE, NARROW = (Setting(Limits(max_active=active, queue_max=16, queue_timeout_s=1.0)) for active in (16, 8))
LOAD = Load("sustained", 4.0, None)
COURSE = Course((WIDE, NARROW), (LOAD,), 0.0, lambda _: 0.0)


def stretch(block: int, kept: dict[int, float]) -> JudgedStretch:
    """A run of the wide setting that never had more than eight in flight: it stands for both. `kept`: by
    slots."""
    due_s = np.arange(0.0, 60.0, 0.25)
    return JudgedStretch(
        cell=Cell(WIDE, LOAD, block),
        trace=Trace(due_s, np.ones(len(due_s), dtype=bool), 60.0),
        elasticity=0.0,
        kept_under=lambda limits: kept[limits.max_active],
        footprint=Footprint(WIDE.limits, 8, 0, refused=False, expired=False, longest_wait_s=0.0),
    )


def test_a_limit_that_a_slower_engine_would_touch_counts_for_whom_it_belongs_to() -> None:
    """The run touched neither; five per cent slower it needs nine slots."""
    stretches = [stretch(block, {16: 1.0, 8: 0.8}) for block in range(2)]
    assert chosen(COURSE, stand(COURSE.settings, COURSE.loads, stretches), stretches, [0, 1]) == 0


def test_of_equally_steady_ones_the_more_modest_is_taken() -> None:
    """Where a slower engine takes nothing from either."""
    stretches = [stretch(block, {16: 1.0, 8: 1.0}) for block in range(2)]
    assert chosen(COURSE, stand(COURSE.settings, COURSE.loads, stretches), stretches, [0, 1]) == 1
