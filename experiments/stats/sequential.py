"""How much error each look at growing data may spend, so that looking again does not add up to more than 5 %.

Alpha spending (Lan and DeMets 1983) with α(n) = α·n/(n + 5) of n blocks: it never reaches α, so blocks may be
added at any time without having fixed an end. The level of each look follows from the joint normal law of the
looks, by numerical integration (Armitage, McPherson and Rowe 1969), and is applied to the t test of that look
(the significance-level approach: Jennison and Turnbull 2000, section 3.8).
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy

Floats = npt.NDArray[np.float64]

ALPHA = 0.05
LOOKS = (3, 5, 8, 12, 18, 27, 40, 60, 90)
"""Blocks after which one looks; three are the least, and each later look has about half as many more."""
_HALF_SPENT_AT = 5.0
_POWER = 3
_BEYOND_PLAN = 0.1
_GRID = 401


def spent(blocks: int) -> float:
    """Error spent by the look at `blocks`, cumulative; below ALPHA."""
    return ALPHA * blocks / (blocks + _HALF_SPENT_AT)


@lru_cache(maxsize=256)
def level(blocks: int) -> float:
    """Two-sided nominal level of the look at `blocks` (≥ 3), given every scheduled look before it.

    A look off the schedule takes its own place between them.
    """
    looks = (*(look for look in LOOKS if look < blocks), blocks)
    return 2.0 * float(scipy.stats.norm.sf(_bounds(looks, tuple(map(spent, looks)))[-1]))


def level_after(looks: tuple[int, ...], planned: int) -> float:
    """Two-sided nominal level of the last of these looks (ascending, the first at ≥ 3 blocks), given that
    exactly the ones before it were taken: for who keeps a list of them, and planned for so many blocks."""
    spends = tuple(spent_of_planned(look, planned) for look in looks)
    return 2.0 * float(scipy.stats.norm.sf(_bounds(looks, spends)[-1]))


def spent_of_planned(blocks: int, planned: int) -> float:
    """Error spent by the look at `blocks`, cumulative, where `planned` blocks were the most when it began.

    Little early and most of it at the end: (blocks / planned)³ of nine tenths (the power family of Kim and
    DeMets 1987). The last tenth is for blocks beyond the plan, so that there may be some; it is never used
    up.
    """
    of_plan = 1.0 - _BEYOND_PLAN
    if blocks <= planned:
        return ALPHA * of_plan * (blocks / planned) ** _POWER
    return ALPHA * (of_plan + _BEYOND_PLAN * (1.0 - planned / blocks))


def next_look(blocks: int) -> int:
    """The first scheduled look with more than `blocks`; beyond the schedule half as many again."""
    return next((look for look in LOOKS if look > blocks), blocks + max(1, blocks // 2))


@lru_cache(maxsize=256)
def _bounds(looks: tuple[int, ...], spends: tuple[float, ...]) -> tuple[float, ...]:
    """Bounds of |Z| at each look, by which that much is spent; the walk's density inside the earlier bounds
    is carried along."""
    if len(looks) == 1:
        return (float(scipy.stats.norm.isf(spends[0] / 2)),)
    earlier = _bounds(looks[:-1], spends[:-1])
    grid, density = _inside(looks[:-1], earlier)
    step = np.sqrt(looks[-1] - looks[-2])
    budget = spends[-1] - spends[-2]

    def excess(z: float) -> float:
        edge = z * np.sqrt(looks[-1])
        beyond = scipy.stats.norm.sf((edge - grid) / step) + scipy.stats.norm.cdf((-edge - grid) / step)
        return float(np.trapezoid(density * beyond, grid)) - budget

    return (*earlier, float(scipy.optimize.brentq(excess, 0.5, 8.0)))


@lru_cache(maxsize=256)
def _inside(looks: tuple[int, ...], bounds: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Grid and density of the sum at the last of `looks`, where no bound was crossed so far."""
    edge = bounds[-1] * np.sqrt(looks[-1])
    grid = np.linspace(-edge, edge, _GRID)
    if len(looks) == 1:
        return grid, scipy.stats.norm.pdf(grid, scale=np.sqrt(looks[0]))
    before, density = _inside(looks[:-1], bounds[:-1])
    step = np.sqrt(looks[-1] - looks[-2])
    kernel = scipy.stats.norm.pdf(grid[:, None], loc=before[None, :], scale=step)
    return grid, np.trapezoid(kernel * density[None, :], before, axis=1)
