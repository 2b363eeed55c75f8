"""Leaving out what was measured while something else slowed the machine down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.calibration.fit import FitRow
from experiments.calibration.undisturbed import LEAST_SPEED_SD, fit_undisturbed
from experiments.twin.profile import TINY_CPU

ALONE = [
    FitRow(0.003 + TINY_CPU.step_time.duration_s(0, n, n), 1, 0, n, n, 1.0, alone=1.0) for n in (20, 80, 320)
]


def part(decode: int, factor: float, seed: int) -> list[FitRow]:
    """Steps with 5 % noise, all `factor` times as long as the model says, some with a prompt."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(120):
        prompt = int(rng.integers(20, 300)) if k % 6 == 0 else 0
        context = int(decode * rng.integers(50, 900))
        step_s = TINY_CPU.step_time.duration_s(decode, decode + prompt, context)
        seconds = step_s * factor * float(rng.lognormal(0, 0.05))
        rows.append(FitRow(seconds, 1, decode, prompt, context, float(prompt > 0)))
    return rows


@pytest.mark.parametrize("slow", [1.0, 1.2])
def test_a_disturbed_part_does_not_make_the_engine_slow(slow: float) -> None:
    """Two of twelve parts 20 % slower: they are left out, and the engine comes out as without them; but the
    machine is known to be unsteady.
    """
    factors = [1.0] * 4 + [slow] * 2 + [1.0] * 6
    decodes = (1, 2, 4, 8, 12, 16) * 2
    parts = [part(decodes[k], factors[k], seed=k) for k in range(12)]
    found = fit_undisturbed(ALONE, parts, seed=1, block=30, draws=10)
    assert found.disturbed == (2 if slow > 1 else 0)
    assert found.fit.values["base_s"] == pytest.approx(TINY_CPU.base_s, rel=0.02)
    unsteady_sd = max(LEAST_SPEED_SD, np.log(slow) * (2 / 12) ** 0.5)
    assert found.speed_sd == pytest.approx(unsteady_sd, rel=0.15)


def test_short_parts_are_kept() -> None:
    """Too few steps to know a speed are no reason to leave them out."""
    short = [replace(row, seconds=2 * row.seconds) for row in part(4, 1.0, 9)[:10]]
    parts = [part(decode, 1.0, decode) for decode in (1, 2, 4, 8)]
    assert fit_undisturbed(ALONE, [*parts, short], seed=1, block=30, draws=2).kept == (True,) * 5
