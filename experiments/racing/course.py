"""What is raced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class Course:
    """What is raced.

    Attributes:
        settings: each once. loads: resolved.
        budget_s: engine time, seconds; inf: until it is decided.
        cell_s: expected engine time of a stretch, seconds.
        seed: of the running orders.
        likely: places of the settings, the likeliest best first, as a model predicts it; empty: not known.
        slo: by which load classes are judged; None: there are none.
    """

    settings: tuple[Setting, ...]
    loads: tuple[Load, ...]
    budget_s: float
    cell_s: Callable[[Load], float]
    seed: int = 1
    likely: tuple[int, ...] = ()
    slo: SLO | None = None

    @property
    def nominal(self) -> Load:
        """The largest load that is not above capacity, at which every class has to be satisfied; without one,
        the smallest."""
        by_rate = sorted(self.loads, key=lambda load: load.rate_per_s or 0.0)
        below = [load for load in by_rate if (load.relative or 0.0) <= 1.0]
        return below[-1] if below else by_rate[0]

    @property
    def order(self) -> tuple[int, ...]:
        """Places of the loads in the order of screening: the highest rate first, which separates most."""
        rates = [load.rate_per_s or 0.0 for load in self.loads]
        return tuple(sorted(range(len(rates)), key=lambda j: -rates[j]))

    def neighbours(self, place: int) -> list[int]:
        """Places of the settings that differ from this one on one axis, by one step of what the matrix
        has."""
        here = self.settings[place]
        found = []
        for name, value in here.axes().items():
            same = [
                (i, other.axes()[name])
                for i, other in enumerate(self.settings)
                if set(here.differs_in(other)) <= {name}
            ]
            if any(isinstance(step, str) for _, step in same):
                found += [i for i, step in same if step != value]
                continue
            steps = sorted((float(step), i) for i, step in same)
            at = [i for _, i in steps].index(place)
            found += [i for _, i in (*steps[max(0, at - 1) : at], *steps[at + 1 : at + 2])]
        return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Left:
    """A setting that left the race: at which look, behind whom, and at most what part of the leader's score
    it may have (upper end of a 95 % interval); `missed`: the load classes that it surely misses, where it
    left for them."""

    place: int
    look: int
    leader: int
    at_most: float
    missed: tuple[str, ...] = ()
