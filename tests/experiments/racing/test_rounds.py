"""What is run next: as few runs as can stand for all, of those that may still win."""

from dataclasses import replace

import numpy as np

from experiments.design.cells import Cell
from experiments.racing import rounds
from experiments.racing.judged_stretch import JudgedStretch
from experiments.racing.standing import RaceStanding, stand
from experiments.twin.footprint import Footprint
from gateway.limits import Limits
from tests.experiments.racing.drawn import HEAVY, LIGHT, LOADS, setting, stretch, stretches

SIXTEEN, EIGHT, TWO = setting(16), setting(8), setting(2)


def used(limits: Limits, peak_active: int) -> Footprint:
    """Of a run without a queue."""
    return Footprint(limits, peak_active, 0, refused=False, expired=False, longest_wait_s=0.0)


def wave(*usable: JudgedStretch, runs: dict[Cell, int] | None = None) -> list[Cell]:
    wanted = [Cell(one, LIGHT, 0) for one in (TWO, EIGHT, SIXTEEN)]
    return rounds.wave(wanted, list(usable), runs or {}, 3)


def test_the_widest_runs_first_since_it_may_stand_for_the_others() -> None:
    """One run at each load, before it is known what it stands for."""
    assert wave() == [Cell(SIXTEEN, LIGHT, 0)]


def test_whom_a_run_stands_for_need_not_run() -> None:
    """Five slots of sixteen were in use: eight would have been the same run, two would not."""
    seen = stretch(Cell(SIXTEEN, LIGHT, 0), footprint=used(SIXTEEN.limits, 5))
    assert wave(seen) == [Cell(TWO, LIGHT, 0)]
    assert wave(replace(seen, footprint=used(SIXTEEN.limits, 9))) == [
        Cell(EIGHT, LIGHT, 0),
        Cell(TWO, LIGHT, 0),
    ]


def test_a_run_stands_for_its_own_arrivals_only() -> None:
    """Neither for another load nor for another block."""
    seen = stretch(Cell(SIXTEEN, LIGHT, 0), footprint=used(SIXTEEN.limits, 5))
    assert seen.stands_for(Cell(EIGHT, LIGHT, 0))
    assert not seen.stands_for(Cell(EIGHT, LIGHT, 1))
    assert not seen.stands_for(Cell(EIGHT, HEAVY, 0))


def test_what_never_gave_a_usable_result_is_given_up() -> None:
    """A machine that is disturbed each time must not hold the race up for ever."""
    assert wave(runs={Cell(SIXTEEN, LIGHT, 0): 3}) == [Cell(EIGHT, LIGHT, 0)]


def settled(blocks: int = 3) -> RaceStanding:
    """Two settings that do equally well, and one that does not."""
    found = stretches((SIXTEEN, EIGHT, TWO), [[1.0, 0.9], [1.0, 0.89], [1.0, 0.4]], blocks)
    return stand((SIXTEEN, EIGHT, TWO), LOADS, found)


def test_those_run_on_that_may_be_better_the_likeliest_first() -> None:
    """Nobody else: as many as hold nine tenths of the probability."""
    unsure = replace(settled(), leader=0, good=0.6, better=np.array([0.0, 0.39, 0.01]))
    assert rounds.contenders(unsure, [0, 1, 2]) == [1]
    both = replace(unsure, better=np.array([0.0, 0.18, 0.22]))
    assert rounds.contenders(both, [0, 1, 2]) == [2, 1]


def test_a_sure_leader_has_no_contenders_once_it_has_run_twice_everywhere() -> None:
    """One trace may have touched none of the limits."""
    sure = replace(settled(), leader=0, good=1.0)
    assert rounds.contenders(sure, [0, 1, 2]) == []
    once = replace(settled(1), leader=0, good=1.0, better=np.zeros(3))
    assert rounds.contenders(once, [0, 1, 2]) != []


def test_a_load_that_decides_nothing_is_not_measured_again() -> None:
    """Everybody is good under the light one, where neither of the two is held against a better one."""
    found = stretches((SIXTEEN, EIGHT, TWO), [[1.0, 0.8], [1.0, 0.79], [0.9, 0.95]], 3)
    standing = replace(stand((SIXTEEN, EIGHT, TWO), LOADS, found), leader=0)
    assert {j for _, j in rounds.pairs(standing, [1])} == {LOADS.index(HEAVY)}
