"""Stretches whose goodput is drawn, for tests of what a race makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.design.cells import Cell
from experiments.racing.course import Course
from experiments.racing.judged_stretch import JudgedStretch
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.stats.goodput import Trace
from experiments.twin.footprint import Footprint
from gateway.limits import Limits

LIGHT, HEAVY = Load("sustained", 6.0, None), Load("sustained", 12.0, None)
LOADS = (LIGHT, HEAVY)
WINDOW_S = 40.0


def setting(max_active: int = 8, queue_max: int = 20, timeout_s: float = 1.0) -> Setting:
    return Setting(Limits(max_active=max_active, queue_max=queue_max, queue_timeout_s=timeout_s))


def course(settings: Sequence[Setting], budget_s: float = float("inf")) -> Course:
    """With stretches of 50 s."""
    return Course(tuple(settings), LOADS, budget_s, lambda _: 50.0)


def stretch(
    cell: Cell, good: float = 1.0, footprint: Footprint | None = None, *, kept: float = 1.0
) -> JudgedStretch:
    """Poisson arrivals, the same for all settings on this load and block; each is good with probability
    `good`, which is drawn for each setting."""
    assert cell.load.rate_per_s is not None
    arrivals = np.random.default_rng([int(cell.load.rate_per_s), cell.block])
    due_s = np.sort(arrivals.uniform(0, WINDOW_S, arrivals.poisson(cell.load.rate_per_s * WINDOW_S)))
    limits = cell.setting.limits
    luck = np.random.default_rng([limits.max_active, limits.queue_max, cell.block])
    return JudgedStretch(cell, Trace(due_s, luck.random(len(due_s)) < good, WINDOW_S), 0.0, kept, footprint)


def stretches(
    settings: Sequence[Setting], good: Sequence[Sequence[float]], blocks: int
) -> list[JudgedStretch]:
    """All settings at all loads in so many blocks; `good`: by setting and load."""
    return [
        stretch(Cell(one, load, block), good[i][j])
        for block in range(blocks)
        for i, one in enumerate(settings)
        for j, load in enumerate(LOADS)
    ]
