"""The step-time model."""

from __future__ import annotations

import math

import pytest

from experiments.twin.step_time import StepTime

MODEL = StepTime(base_s=0.005, per_decode_s=0.0001, per_token_s=0.00004, knee_tokens=100, per_kv_token_s=1e-7)


def test_tokens_below_the_knee_cost_nothing() -> None:
    """t = a + b·decode + c·max(tokens − T0, 0) + d·KV, once on each side of T0."""
    assert MODEL.duration_s(10, 100, 0) == pytest.approx(0.006)
    assert MODEL.duration_s(10, 600, 20_000) == pytest.approx(0.006 + 500 * 0.00004 + 0.002)


def test_a_run_of_steps_is_the_sum_of_its_steps() -> None:
    """The closed form equals walking, with the context growing by one token a sequence and step."""
    walked = sum(MODEL.duration_s(7, 7, 1000 + 7 * k) for k in range(50))
    assert MODEL.decode_run_s(7, 1000, 50) == pytest.approx(walked, rel=1e-12)


@pytest.mark.parametrize("model", [MODEL, StepTime(base_s=0.02), StepTime(base_s=0.001, per_kv_token_s=1e-4)])
@pytest.mark.parametrize("span_s", [0.0, 1e-9, 0.02, 0.0201, 0.5, 3.3])
def test_steps_to_reach_is_the_least_number(model: StepTime, span_s: float) -> None:
    """One step fewer does not reach the span; at least one step is taken."""
    steps = model.steps_to_reach(5, 500, span_s)
    assert model.decode_run_s(5, 500, int(steps)) >= span_s
    assert steps == 1 or model.decode_run_s(5, 500, int(steps) - 1) < span_s


def test_an_endless_span_is_never_reached() -> None:
    """Nothing to wait for: no bound on the steps."""
    assert MODEL.steps_to_reach(5, 500, math.inf) == math.inf
