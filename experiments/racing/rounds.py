"""What to run next: who may still win, at which loads, and which runs stand for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.design.cells import Cell
from experiments.racing.judged_stretch import JudgedStretch
from experiments.racing.standing import LEAST_BLOCKS, SURE, RaceStanding
from experiments.spec.loads import Load
from experiments.spec.named_lanes import NamedLanes
from gateway.limits import SlotCost

RARELY = 0.03
"""Share of the draws from which on something may happen."""
MOST_OF_IT = 0.9
"""Of the probability that the leader is not good enough, the part that the contenders of a round hold."""

Pair = tuple[int, int]
"""Places of a setting and a load."""


def contenders(standing: RaceStanding, alive: Sequence[int]) -> list[int]:
    """Who may still be better than the leader by more than the indifference zone, the likeliest first; of
    those, as many as hold nearly all of that probability. None once the leader is sure enough."""
    leader = standing.leader
    assert leader is not None, "whoever asks has one"
    seen = standing.stretches[leader].min() >= LEAST_BLOCKS
    if standing.good >= SURE and seen:
        return []
    others = [i for i in alive if i != leader]
    others.sort(key=lambda i: (-standing.better[i], -standing.ratio[i]))
    total = float(sum(standing.better[i] for i in others))
    found: list[int] = []
    held = 0.0
    for i in others:
        if found and held >= MOST_OF_IT * total:
            break
        found.append(i)
        held += float(standing.better[i])
    return found or [leader]


def pairs(standing: RaceStanding, contending: Sequence[int]) -> list[Pair]:
    """Leader and contenders at the loads that may decide about either, and whoever may be the best there,
    since the scores are shares of it."""
    leader = standing.leader
    assert leader is not None, "whoever asks has one"
    running = list(dict.fromkeys([leader, *contending]))
    # A load at which the leader ran once decides, too: one trace may have touched none of the limits.
    once = standing.stretches[leader] < LEAST_BLOCKS
    decisive = [int(j) for j in np.flatnonzero((standing.decides[running] >= RARELY).any(axis=0) | once)]
    found = [(i, j) for j in decisive for i in running]
    for j in decisive:
        behind = standing.stretches[:, j] < standing.stretches[leader, j]
        best = np.flatnonzero(behind & (standing.best[j] >= RARELY))
        found += [(int(i), j) for i in best if i not in running]
    return found


def wave(
    wanted: Sequence[Cell], usable: Sequence[JudgedStretch], runs: Mapping[Cell, int], most_runs: int
) -> list[Cell]:
    """Those of the wanted cells to run now, so that one run can stand for many: of each load, with the same
    lanes and cost of a slot, first the widest; then the widest of each number of slots; then of each queue
    timeout. Whom a run stands for need not run, nor who ran `most_runs` times without a usable result."""
    left = [cell for cell in wanted if not any(stretch.stands_for(cell) for stretch in usable)]
    left = [cell for cell in left if runs.get(cell, 0) < most_runs]
    found: list[Cell] = []
    for kin in dict.fromkeys(map(_kin, left)):
        here = sorted((cell for cell in left if _kin(cell) == kin), key=_width, reverse=True)
        ran = [s.cell for s in usable if _kin(s.cell) == kin and s.cell.block == here[0].block]
        if not ran:
            found.append(here[0])
            continue
        slots = {cell.setting.limits.max_active for cell in ran}
        first: dict[tuple[object, ...], Cell] = {}
        for cell in here:
            limits = cell.setting.limits
            kind: tuple[object, ...] = (limits.max_active,)
            if limits.max_active in slots:
                kind = (*kind, limits.queue_mode, limits.queue_order, limits.queue_timeout_s)
            first.setdefault(kind, cell)
        found += first.values()
    return found


def _kin(cell: Cell) -> tuple[Load, SlotCost, NamedLanes | None]:
    """Of cells that differ in it no run stands for another."""
    return cell.load, cell.setting.limits.slot_cost, cell.setting.lanes


def _width(cell: Cell) -> tuple[int, int, float]:
    """How much a setting lets through: what a wider one does not use, a narrower one would not have
    either."""
    limits = cell.setting.limits
    return limits.max_active, limits.room, limits.queue_timeout_s
