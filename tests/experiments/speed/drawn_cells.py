"""Cells of an engine whose steps are drawn: slow when it is told to be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from experiments.speed.cell_steps import CellSteps
from experiments.speed.steps import Steps

Slower = Callable[[float], float]
"""How many times slower the engine is, by seconds of the run."""


def drawn_cells(
    slower: Slower, *, cells: int = 12, window_s: float = 20.0, seed: int = 1, step_s: float = 0.02
) -> list[CellSteps]:
    """Cells one after another, with a batch and prompts that change in time and between cells."""
    rng = np.random.default_rng(seed)
    return [_cell(rng, f"c{k}", k * (window_s + 5), window_s, step_s, slower) for k in range(cells)]


def _cell(
    rng: np.random.Generator, name: str, began_s: float, window_s: float, step_s: float, slower: Slower
) -> CellSteps:
    most, now_s, rows = int(rng.integers(2, 32)), 0.0, []
    batch = most // 2
    while now_s < window_s:
        batch = int(np.clip(batch + rng.integers(-1, 2), 1, most))
        prompt = float(rng.integers(50, 300)) if rng.random() < 0.1 else 0.0
        context = 200.0 * batch
        quiet_s = step_s * (1 + 0.02 * batch + 0.004 * prompt + 1e-5 * context)
        length_s = quiet_s * slower(began_s + now_s) * float(np.exp(0.03 * rng.standard_normal()))
        now_s += length_s
        rows.append((now_s, length_s, batch, float(prompt > 0), prompt, prompt**2 / 2, context, 0.0, 0.0))
    return CellSteps.of(name, "", began_s, window_s, Steps(*np.array(rows).T))
