"""Which setting to take: the least worst-case regret over the measured loads, and modesty where it is free.

    regret(setting) = max over loads of 1 − goodput(setting, load) / best goodput at that load

(Savage 1951). Settings that the data cannot tell from the winner are named; of those measured within an
indifference zone of it the most modest is taken. What lies further away is not taken for its modesty, told
apart or not: three blocks leave intervals wide enough to hide a loss that matters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

INDIFFERENCE = 0.02
"""Part of the goodput: less than the 3 % of regret that a recommendation may cost."""

Goodputs = Mapping[str, Mapping[str, Sequence[float]]]
Means = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Choice:
    """Names of settings. `winner` has the least measured regret, `tied` (the winner among them) cannot be
    told from it, `chosen` is the most modest of those within the indifference zone. `regret` by name,
    0 to 1."""

    chosen: str
    winner: str
    tied: tuple[str, ...]
    regret: dict[str, float]


def choose(goodputs: Goodputs, modest_first: Sequence[str], separable: Callable[[str, str], bool]) -> Choice:
    """Choose among settings that were all measured in the same blocks.

    Args:
        goodputs: setting → load → goodput of each block, requests per second; every setting at every load.
        modest_first: every setting, the most modest first.
        separable: whether the data show the first setting above the second at some load.
    """
    means = {name: {load: float(np.mean(v)) for load, v in loads.items()} for name, loads in goodputs.items()}
    return choose_by_means(means, best_of(means), modest_first, separable)


def best_of(means: Means) -> dict[str, float]:
    """The best mean at each load; every setting at every load."""
    loads = next(iter(means.values())).keys()
    return {load: max(of[load] for of in means.values()) for load in loads}


def choose_by_means(
    means: Means,
    best: Mapping[str, float],
    modest_first: Sequence[str],
    separable: Callable[[str, str], bool],
) -> Choice:
    """Choose among settings whose goodputs were brought to the same arrivals.

    Args:
        means: setting → load → goodput, requests per second; every setting at every load.
        best: load → the best goodput there, also of settings that are no candidates.
        modest_first, separable: as in `choose`.
    """
    regret = {
        name: max(1.0 - of[load] / best[load] if best[load] > 0 else 0.0 for load in best)
        for name, of in means.items()
    }
    winner = min(modest_first, key=lambda name: regret[name])
    tied = tuple(name for name in modest_first if name == winner or not separable(winner, name))
    chosen = next(name for name in tied if regret[name] <= regret[winner] + INDIFFERENCE)
    return Choice(chosen, winner, tied, regret)
