"""A race in virtual time, and one whose machine never gives a usable stretch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from experiments.design.cells import Cell
from experiments.racing.judged_stretch import JudgedStretch
from experiments.racing.race import MOST_RUNS, race
from experiments.run_folder.race_story import RaceEnd
from experiments.tuning.outlook import regret_of
from tests.experiments.racing import virtual_race
from tests.experiments.racing.drawn import course, setting, stretch
from tests.experiments.racing.virtual_race import VirtualTrack


def test_a_race_finds_the_best_of_thirty_cells_in_less_than_a_grids_time() -> None:
    """One engine of those that the evidence is made of, with a third of its settings."""
    scenario = virtual_race.draw(3)
    scenario = replace(scenario, settings=scenario.settings[::3])
    track = VirtualTrack(scenario)
    found = race(virtual_race.course(scenario, 0.8 * virtual_race.grid_s(scenario)), track)
    assert found.winner is not None
    score = 1 - regret_of(virtual_race.truth(scenario, traces=1))
    assert score[found.winner] >= 0.95 * score.max()
    assert len(track.done) < len(scenario.settings) * len(scenario.loads)
    assert len(found.alive) + len(found.left) == len(scenario.settings)
    spent_s = [look.spent_s for look in found.looks]
    assert spent_s == sorted(spent_s)


@dataclass(slots=True)
class DrawnTrack:
    """Stretches of 50 s as `good` says, by the number of slots."""

    good: dict[int, float]
    usable: bool = True
    spent_s: float = 0.0
    asked: list[Cell] = field(default_factory=list)

    def measure(self, cells: Sequence[Cell]) -> None:
        self.asked += cells
        self.spent_s += 50.0 * len(cells)

    def seen(self) -> list[JudgedStretch]:
        return [
            replace(stretch(cell, self.good[cell.setting.limits.max_active]), usable=self.usable)
            for cell in dict.fromkeys(self.asked)
        ]


SETTINGS = (setting(16), setting(8), setting(2))


def test_the_time_goes_to_those_that_are_close() -> None:
    """A third of the goodput: it leaves after the screening and never runs again."""
    track = DrawnTrack({16: 0.95, 8: 0.9, 2: 0.3})
    found = race(course(SETTINGS), track)
    runs = [sum(cell.setting == one for cell in track.asked) for one in SETTINGS]
    assert found.winner == 0
    assert found.ended is RaceEnd.SEPARATED
    assert [one.place for one in found.left][:1] == [2]
    assert runs[2] <= 2 < runs[0]


def test_a_budget_ends_it() -> None:
    """With whoever leads by then; only the leader's neighbours are still looked at."""
    track = DrawnTrack({16: 0.9, 8: 0.9, 2: 0.9})
    found = race(course(SETTINGS, budget_s=400.0), track)
    assert found.ended is RaceEnd.BUDGET
    assert found.winner is not None
    assert track.spent_s <= 400.0 + 2 * 50.0


def test_a_machine_that_is_always_disturbed_has_no_winner() -> None:
    """Each cell is tried a few times, and then that is said."""
    track = DrawnTrack({16: 0.9, 8: 0.9, 2: 0.9}, usable=False)
    found = race(course(SETTINGS), track)
    assert (found.winner, found.ended) == (None, RaceEnd.NOTHING)
    assert (
        max(np.unique([track.asked.index(cell) for cell in track.asked], return_counts=True)[1]) <= MOST_RUNS
    )
