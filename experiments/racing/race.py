"""The race from start to end, against anything that can measure a cell.

1. **Screening.** Every setting runs one stretch at the load that separates most, all on the same arrivals, in
   random order; then the most promising at the other loads. As soon as somebody has run at every load,
   whoever is surely worse leaves: a setting's score can only fall with a further load. So does whoever surely
   misses the objective of a load class, while another setting does not.
2. **Rounds.** The leader and those that may still beat it run a stretch each on fresh arrivals, at the loads
   that may decide; after each round the surely worse leave.
3. It ends when the leader is surely within the indifference zone of the best, or the budget is used up. The
   winner's neighbours on every axis are measured in any case.

A stretch in which the machine was disturbed is run again, twice at most. The numbers to publish come from
stretches of their own afterwards: whoever wins a race was also lucky in it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from experiments.design.cells import Cell
from experiments.racing import rounds
from experiments.racing.choice import chosen
from experiments.racing.course import Course, Left
from experiments.racing.judged_stretch import JudgedStretch, StretchMeasurer
from experiments.racing.missed_classes import missed_classes
from experiments.racing.rounds import Pair
from experiments.racing.standing import RaceStanding, stand
from experiments.run_folder.race_story import RaceEnd, RaceLook

PREDICTED = 3
"""Settings that run first, where a model has expected them to be the best: a short budget is spent on
them."""
MOST_ROUNDS = 40
MOST_RUNS = 3
"""Of one cell, where the machine was disturbed each time."""
_MOST_WAVES = 40

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Raced:
    """What came of it.

    Attributes:
        winner: place of the setting to take; None where nothing was measured at every load.
        alive: places of the settings that are not surely worse than the leader, the leader among them.
        left: who left, in order. looks: what was judged, one after the other.
    """

    standing: RaceStanding
    winner: int | None
    alive: tuple[int, ...]
    ended: RaceEnd
    left: tuple[Left, ...]
    looks: tuple[RaceLook, ...]


def race(course: Course, measurer: StretchMeasurer, say: Say = lambda _: None) -> Raced:
    """Run it; `say` hears what is being decided."""
    return _Race(course, measurer, say, list(range(len(course.settings)))).run()


@dataclass(slots=True)
class _Race:
    course: Course
    measurer: StretchMeasurer
    say: Say
    alive: list[int]
    looks: list[RaceLook] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    block: dict[int, int] = field(default_factory=dict)
    runs: dict[Cell, int] = field(default_factory=dict)
    standing: RaceStanding = field(init=False)

    def run(self) -> Raced:
        ended = self._screen() or self._rounds()
        winner = self._winner()
        if winner is not None and self._neighbours_of(winner):
            winner = self._winner()
        return Raced(self.standing, winner, tuple(self.alive), ended, tuple(self.left), tuple(self.looks))

    def _winner(self) -> int | None:
        return chosen(self.course, self.standing, self._usable(), self.alive)

    def _screen(self) -> RaceEnd | None:
        """Every setting at the first load; then, the most promising first, those that are not surely worse at
        the loads that they lack. None when that is done."""
        first, *_ = self.course.order
        likely = [(i, j) for j in self.course.order for i in self.course.likely[:PREDICTED]]
        if likely and not self._run(likely, f"the {PREDICTED} settings that a model expects to be best"):
            return RaceEnd.BUDGET
        everybody = [(i, first) for i in self.alive]
        if not self._run(everybody, f"screening {len(everybody)} settings at {self.course.loads[first]}"):
            return RaceEnd.BUDGET
        while lacking := self._lacking():
            batch = lacking[: max(3, -(-len(lacking) // 3))]
            said = f"screening at the other loads: {len(lacking)} of {len(self.alive)} settings to go"
            if not self._run([(i, self._next_load(i)) for i in batch], said):
                return RaceEnd.BUDGET
        return None

    def _lacking(self) -> list[int]:
        """Who has not run at every load, the best so far first; who cannot be measured is passed over."""
        found = [i for i in self.alive if not self.standing.whole[i] and self._measurable(i)]
        return sorted(found, key=lambda i: -self.standing.score[i])

    def _next_load(self, i: int) -> int:
        return next(j for j in self.course.order if not self.standing.stretches[i, j])

    def _measurable(self, i: int) -> bool:
        return self.runs.get(self._cell(i, self._next_load(i)), 0) < MOST_RUNS

    def _rounds(self) -> RaceEnd:
        for _ in range(MOST_ROUNDS):
            standing = self.standing
            if standing.leader is None:
                return RaceEnd.NOTHING
            contending = rounds.contenders(standing, self.alive)
            if not contending:
                return RaceEnd.SEPARATED
            pairs = rounds.pairs(standing, contending)
            for j in {j for _, j in pairs}:
                self.block[j] = self.block.get(j, 0) + 1
            name = self.course.settings[standing.leader].name
            if not self._run(pairs, f"{name} leads; {len(contending)} may still be better"):
                return RaceEnd.BUDGET
        return RaceEnd.ROUNDS

    def _neighbours_of(self, winner: int) -> bool:
        """Each at the load that decides most about the winner, whatever the budget says: there are few.
        Whether any had to run."""
        load = int(np.argmax(self.standing.decides[winner]))
        missing = [i for i in self.course.neighbours(winner) if not self.standing.stretches[i].any()]
        if missing:
            self._run([(i, load) for i in missing], "the neighbours of the winner", bounded=False)
        return bool(missing)

    def _cell(self, i: int, j: int) -> Cell:
        return Cell(self.course.settings[i], self.course.loads[j], self.block.get(j, 0))

    def _run(self, pairs: Sequence[Pair], deciding: str, *, bounded: bool = True) -> bool:
        """One stretch for each (setting, load) on the present arrivals of that load, then a look at all;
        False where the budget does not hold them (what it holds is measured)."""
        self.say(deciding)
        wanted = [self._cell(i, j) for i, j in pairs]
        whole = True
        for _ in range(_MOST_WAVES):
            wave = rounds.wave(wanted, self._usable(), self.runs, MOST_RUNS)
            if not wave:
                break
            random.Random(f"{self.course.seed}/race/{len(self.looks)}/{len(self.runs)}").shuffle(wave)
            fits = self._affordable(wave) if bounded else len(wave)
            for cell in wave[:fits]:
                self.runs[cell] = self.runs.get(cell, 0) + 1
            self.measurer.measure(wave[:fits])
            if fits < len(wave):
                whole = False
                break
        self._look(deciding)
        return whole

    def _usable(self) -> list[JudgedStretch]:
        return [stretch for stretch in self.measurer.seen() if stretch.usable]

    def _affordable(self, cells: Sequence[Cell]) -> int:
        left_s = self.course.budget_s - self.measurer.spent_s
        for count, cell in enumerate(cells):
            left_s -= self.course.cell_s(cell.load)
            if left_s < 0:
                return count
        return len(cells)

    def _look(self, deciding: str) -> None:
        """Judge all that was measured; who is surely worse leaves."""
        usable = self._usable()
        missed = missed_classes(self.course, usable)
        standing = stand(self.course.settings, self.course.loads, usable, self.course.seed, tuple(missed))
        self.standing = standing
        # Before anybody ran at every load nobody leads: whoever is good at one may be bad at the others.
        leaving = [] if standing.leader is None else [i for i in self.alive if standing.worse[i]]
        for i in leaving:
            self.alive.remove(i)
            assert standing.leader is not None
            at_most, classes = float(standing.high[i]), missed.get(i, ())
            self.left.append(Left(i, len(self.looks) + 1, standing.leader, at_most, classes))
        names = [setting.name for setting in self.course.settings]
        leader = None if standing.leader is None else names[standing.leader]
        spent_s, left = self.measurer.spent_s, tuple(names[i] for i in leaving)
        self.looks.append(RaceLook(deciding, round(spent_s, 1), leader, standing.good, left))
