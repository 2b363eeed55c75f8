"""A cell's steps in the form in which a run's cells are held against each other: sums over each second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.speed.steps import Floats, Steps

KNOTS = np.array([2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096], float)
"""Tokens computed in a step at which its cost may bend upwards."""
FEATURES = 8 + len(KNOTS)
TOKENS = [2, *range(8, FEATURES)]
"""Columns of `CellSteps.work` that count prompt tokens."""
LEAST_SEEN_S = 0.25
"""Of a second that the steps found in it must cover to say something about it."""


@dataclass(frozen=True, slots=True)
class CellSteps:
    """What a judgement of a run needs of one cell.

    Attributes:
        id: of the cell.
        engine: which engine it ran on; only cells of one engine are held against each other.
        began_s: when its measured window began, on a clock that all cells share, seconds.
        window_s: length of that window.
        at_s: middle of each second that says something, from the window's begin; shape (n,).
        steps: found in it; (n,).
        seconds: that they took; (n,).
        work: sums over these steps of what may cost time; (n, FEATURES).
    """

    id: str
    engine: str
    began_s: float
    window_s: float
    at_s: Floats
    steps: Floats
    seconds: Floats
    work: Floats

    @classmethod
    def of(cls, cell_id: str, engine: str, began_s: float, window_s: float, steps: Steps) -> CellSteps:
        """From the steps that ended in the measured window, their times counted from its begin."""
        second = np.floor(steps.end_s - steps.seconds / 2).astype(np.int64).clip(0)
        count = int(second.max()) + 1 if len(steps) else 0
        features = _features(steps)
        found: Floats = np.bincount(second, minlength=count).astype(np.float64)
        seconds: Floats = np.bincount(second, weights=steps.seconds, minlength=count).astype(np.float64)
        work = np.zeros((count, FEATURES))
        for k in range(FEATURES):
            work[:, k] = np.bincount(second, weights=features[:, k], minlength=count)
        told = seconds >= LEAST_SEEN_S
        at_s: Floats = np.arange(count, dtype=np.float64) + 0.5
        return cls(
            cell_id, engine, began_s, window_s, at_s[told], found[told], seconds[told], work[told]
        )  # fmt: skip


def _features(steps: Steps) -> Floats:
    """What may cost time in each step: the step itself, sequences, prompt tokens and those above each knot,
    context, whether there was a prompt, attention within prompts, requests that came and went; (steps,
    FEATURES).

    A convex piecewise linear function of the tokens follows both a hinge and the smooth turn between reading
    the weights and computing; with no negative cost it extrapolates as a straight line.
    """
    tokens = steps.decoded + steps.prompt
    plain = (
        np.ones_like(tokens), steps.decoded, steps.prompt, steps.context,
        (steps.first > 0).astype(float), steps.pairs, steps.arrived, steps.ended,
    )  # fmt: skip
    return np.column_stack([*plain, np.maximum(tokens[:, None] - KNOTS, 0)])
