"""Which settings a model of the engine expects to be best, before any of them is measured."""

from __future__ import annotations

import numpy as np

from experiments.design.cells import Cell
from experiments.racing.plan import RacePlan
from experiments.twin.predicted import Predictor
from experiments.twin.profile import Profile
from loadtests.slo import SLO

TRACES = 4
FRESH = 20_000
"""Blocks from here on are traces that only the model plays."""


def expected_order(plan: RacePlan, model: Profile, slo: SLO) -> tuple[int, ...]:
    """Places of the plan's settings, the one with the least expected worst-case regret first."""
    settings = plan.settings
    loads = list(dict.fromkeys(cell.load for cell in plan.stretches.cells))
    goodput = np.zeros((len(settings), len(loads)))
    widest = sorted(range(len(settings)), key=lambda i: settings[i].smaller_first, reverse=True)
    for j, load in enumerate(loads):
        plans = [plan.stretches.plan(Cell(settings[0], load, FRESH + k)) for k in range(TRACES)]
        predictor = Predictor(plans, [model], slo)
        for i in widest:
            goodput[i, j] = predictor.runs(settings[i].limits, settings[i].table)["goodput_per_s"].mean()
    best = goodput.max(axis=0)
    score = np.min(np.where(best > 0, goodput / np.where(best > 0, best, 1.0), 1.0), axis=1)
    return tuple(int(i) for i in np.argsort(-score, kind="stable"))
