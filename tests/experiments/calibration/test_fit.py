"""The fit against rows made from known parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.calibration.fit import FitRow, fit, modelled_s, table_of
from experiments.twin.step_time import StepTime

TRUTH = StepTime(base_s=0.006, per_decode_s=8e-5, per_token_s=5e-5, knee_tokens=64, per_kv_token_s=4e-8)
OVERHEAD_S = 0.003


def rows(noise: float, seed: int = 1) -> list[FitRow]:
    """Windows of 1 s at many batch sizes, and a ladder of single prompts."""
    rng = np.random.default_rng(seed)
    made = []
    for decode in (1, 2, 4, 8, 16, 32, 64):
        for _ in range(8):
            prefill, context = float(rng.choice([0, 200, 500])), float(rng.integers(100, 3000) * decode)
            # A window in which every step has the same composition, so that the hinge is exact.
            step_s = TRUTH.duration_s(decode, decode + int(prefill), int(context))
            steps = round(1 / step_s)
            seconds = steps * step_s * rng.lognormal(0, noise)
            made.append(
                FitRow(
                    seconds, steps, decode * steps, prefill * steps, context * steps, steps if prefill else 0
                )
            )
    for tokens in (16, 32, 64, 128, 256, 512, 1024) * 2:
        seconds = OVERHEAD_S + TRUTH.duration_s(0, tokens, tokens)
        made.append(FitRow(seconds * rng.lognormal(0, noise), 1, 0, tokens, tokens, 1.0, alone=1.0))
    return made


def test_exact_rows_give_the_exact_parameters() -> None:
    """Without noise each parameter comes back, the knee included."""
    found = fit(rows(0.0), draws=0)
    assert found.values["base_s"] == pytest.approx(TRUTH.base_s, rel=1e-3)
    assert found.values["per_decode_s"] == pytest.approx(TRUTH.per_decode_s, rel=1e-2)
    assert found.values["per_token_s"] == pytest.approx(TRUTH.per_token_s, rel=1e-3)
    assert found.values["per_kv_token_s"] == pytest.approx(TRUTH.per_kv_token_s, rel=1e-2)
    assert found.values["overhead_s"] == pytest.approx(OVERHEAD_S, rel=1e-2)
    assert found.values["knee_tokens"] == 64
    assert found.relative_error < 1e-6


def test_the_intervals_hold_the_truth_under_noise() -> None:
    """With 3 % noise the 90 % intervals of the well known parameters hold the truth."""
    found = fit(rows(0.03), draws=100)
    for name, value in (("base_s", TRUTH.base_s), ("per_token_s", TRUTH.per_token_s)):
        assert found.low[name] * 0.97 <= value <= found.high[name] * 1.03
    assert found.draws.shape == (100, 9)
    assert 0.005 < found.relative_error < 0.05


def test_what_was_never_varied_is_said() -> None:
    """Without contexts the cost of context cannot be told, and the fit says so."""
    flat = [FitRow(r.seconds, r.steps, r.decoded, r.prompt, 0.0, r.prompts, r.alone) for r in rows(0.03)]
    assert any("context" in remark for remark in fit(flat, draws=50).remarks)


def test_too_few_rows() -> None:
    """Nine parameters need more than eight rows."""
    with pytest.raises(ValueError, match="8 rows cannot tell 9 parameters"):
        fit(rows(0.0)[:8])


def test_noise_does_not_make_the_model_too_fast() -> None:
    """With steps that vary by 15 % the modelled seconds add up to the measured ones."""
    noisy = rows(0.15) * 8
    found = fit(noisy, draws=0)
    table = table_of(noisy)
    values = np.array(list(found.values.values()))
    assert table[:, 0].sum() / modelled_s(table, values).sum() == pytest.approx(1, abs=0.02)


def test_what_the_api_server_takes_is_told_from_the_steps() -> None:
    """Arrivals and ends that cost engine time give that time back; where they cost none, it is zero."""
    plain = rows(0.0)
    shared = [
        replace(r, seconds=r.seconds + 0.003 * a + 0.001 * e, arrived=a, ended=e)
        for k, r in enumerate(plain)
        for a, e in ((float(k % 3), float(k % 5)),)
    ]
    found = fit(shared, draws=0).values
    assert found["arrival_work_s"] == pytest.approx(0.003, rel=0.01)
    assert found["end_work_s"] == pytest.approx(0.001, rel=0.01)
    apart = [replace(r, seconds=p.seconds) for r, p in zip(shared, plain, strict=True)]
    found = fit(apart, draws=0).values
    assert found["arrival_work_s"] == pytest.approx(0, abs=1e-5)
    assert found["end_work_s"] == pytest.approx(0, abs=1e-5)


def test_long_prompts_cost_more_than_their_tokens() -> None:
    """Attention within prompts is told from their tokens where lengths differ, and left out where they do
    not.
    """
    plain = rows(0.0)
    dear = [
        replace(r, seconds=r.seconds + 1e-7 * r.prompt**2 / 2, pairs=r.prompt**2 / 2) if r.steps == 1 else r
        for r in plain
    ]
    assert fit(dear, draws=0).values["per_pair_s"] == pytest.approx(1e-7, rel=0.02)
    alike = [r for r in dear if not r.pairs or r.prompt == 256]
    assert fit(alike, draws=0).values["per_pair_s"] == 0
