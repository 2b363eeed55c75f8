"""One measured stretch of a steady load, as the search for the capacity sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from experiments.stats.effective_size import of_indicator
from experiments.stats.goodput import Trace
from loadtests.recording.share import wilson


@dataclass(frozen=True, slots=True)
class Stretch:
    """How many of the requests offered in `duration_s` seconds at the nominal `rate_per_s` were good.

    `n_eff`: how many independent requests they are worth (`effective_size.of_indicator`); None takes them for
    independent. `speed`: how many times as long as usual the engine's steps took in it, above 0; the requests
    are then to be judged under `slo.scaled(speed)`. `came`: requests of all load classes, where it is about
    the requests of one; None: the offered ones. `classes`: the same stretch for each load class that has an
    objective of its own.
    """

    rate_per_s: float
    good: int
    offered: int
    duration_s: float
    n_eff: float | None = None
    speed: float = 1.0
    came: int | None = None
    classes: tuple[tuple[str, Stretch], ...] = ()

    @property
    def attainment(self) -> float:
        """Share of the offered requests, 0 to 1."""
        return self.good / max(1, self.offered)

    @property
    def came_per_s(self) -> float:
        """The rate at which requests came, for an engine of usual speed: an engine that takes `speed` times
        as long for everything meets the same load `speed` times as dense, counted in its own time."""
        came = self.offered if self.came is None else self.came
        return max(0.5, came) / self.duration_s * self.speed

    @property
    def inflation(self) -> float | None:
        """How many times as much as that of independent requests the share varies, as far as the stretch
        itself tells; None where nothing or too little was missed to know."""
        few = min(self.good, self.offered - self.good) < _FEWEST
        return None if few or self.n_eff is None else self.offered / self.n_eff


_FEWEST = 5


def stretch_of(rate_per_s: float, trace: Trace, speed: float = 1.0) -> Stretch:
    """The stretch of a judged trace."""
    whole = _stretch_of(rate_per_s, trace, speed)
    if trace.classes is None:
        return whole
    names = dict.fromkeys(trace.classes.tolist())
    parts = ((name, _stretch_of(rate_per_s, trace.of(name), speed)) for name in names)
    return replace(whole, classes=tuple((name, replace(own, came=whole.offered)) for name, own in parts))


def _stretch_of(rate_per_s: float, trace: Trace, speed: float) -> Stretch:
    return Stretch(
        rate_per_s,
        int(trace.good.sum()),
        len(trace.good),
        trace.duration_s,
        of_indicator(trace.good, trace.due_s).n_eff,
        speed,
    )


def by_rate(stretches: Sequence[Stretch]) -> dict[float, list[Stretch]]:
    """The stretches of each nominal rate, ascending."""
    rates = sorted({stretch.rate_per_s for stretch in stretches})
    return {rate: [s for s in stretches if s.rate_per_s == rate] for rate in rates}


def t_half_width(n: int) -> float:
    """Half of the width of the 95 % t interval of a mean of n values, in their standard deviations; n > 1."""
    return float(scipy.stats.t.ppf(0.975, n - 1) / np.sqrt(n))


def attainment_of(stretches: Sequence[Stretch]) -> tuple[float, float, float]:
    """Attainment over all of them (one at least) with the ends of its 95 % interval: Wilson's for their
    effective size, or from three on the wider of it and the t interval over them."""
    good, offered = sum(s.good for s in stretches), sum(s.offered for s in stretches)
    n = max(1.0, sum(s.offered if s.n_eff is None else s.n_eff for s in stretches))
    share = good / max(1, offered)
    low, high = wilson(share * n, n)
    if len(stretches) >= 3:
        shares = np.array([s.attainment for s in stretches])
        half = t_half_width(len(shares)) * float(shares.std(ddof=1))
        middle = float(shares.mean())
        low, high = max(0.0, min(low, middle - half)), min(1.0, max(high, middle + half))
    return share, low, high
