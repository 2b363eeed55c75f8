"""The gate of a calibration: what it accepts and what it refuses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from experiments.calibration import held_out
from experiments.calibration.drive import driving
from experiments.observe.ask import StreamedAnswer
from experiments.stack import engine
from experiments.twin.capacity import OPEN, Planned, predicted_capacity
from experiments.twin.profile import TINY_CPU, Profile
from experiments.twin.simulate import simulate

LENGTHS = ((40, 20), (120, 10))


def burst(profile: Profile, requests: int = 120) -> list[tuple[Planned, StreamedAnswer]]:
    """What a perfect engine of that profile would have answered, its chunks spread evenly."""
    planned = [Planned(0.12 * k, *LENGTHS[k % 2]) for k in range(requests)]
    done = simulate(planned, profile, OPEN)
    return [
        (
            plan,
            StreamedAnswer(
                plan.due_s,
                tuple(
                    first + (last - first) * k / (plan.output_tokens - 1) for k in range(plan.output_tokens)
                ),
                plan.prompt_tokens,
                plan.output_tokens,
                last,
            ),
        )
        for plan, first, last in zip(planned, done.first_s.tolist(), done.last_s.tolist(), strict=True)
    ]


def test_its_own_burst_passes() -> None:
    """A model that is right is accepted."""
    verdict = held_out.judge(burst(TINY_CPU), TINY_CPU)
    assert verdict.as_calibrated["e2e_s_p95"].error == pytest.approx(0, abs=1e-9)


def test_a_wrong_model_is_refused_with_the_reason() -> None:
    """An engine with dearer prompts than the model knows: the sentence names what is off, and by how much."""
    dearer = TINY_CPU.model_copy(update={"per_token_s": 4 * TINY_CPU.per_token_s})
    verdict = held_out.judge(burst(dearer), TINY_CPU)
    assert not verdict.passed
    assert "is off by" in verdict.why or "times what they took" in verdict.why


def test_capacity_is_that_of_a_full_batch() -> None:
    """Steps of 10 ms whatever is in them and 4 sequences: 4 / (20 steps) a second."""
    profile = TINY_CPU.model_copy(
        update={
            "base_s": 0.01,
            "per_decode_s": 0,
            "per_token_s": 0,
            "ingest_s": 0,
            "egress_s": 0,
            "max_num_seqs": 4,
        }
    )
    assert predicted_capacity(profile, [(10, 20)]) == pytest.approx(4 / 0.2, rel=0.03)


def test_a_live_burst_is_measured(tmp_path: Path) -> None:
    """Against the emulator every request of the burst is answered with the length asked for."""

    async def run(served: engine.Engine) -> list[tuple[Planned, StreamedAnswer]]:
        async with driving(served) as driver:
            return await held_out.measure(driver, TINY_CPU, LENGTHS, 3.0, 1)

    with engine.running(engine.choose("emulator"), log_dir=tmp_path) as served:
        pairs = asyncio.run(run(served))
    assert len(pairs) > 10
    assert {answer.output_tokens for _, answer in pairs} == {10, 20}
    assert all(len(answer.times_s) == answer.output_tokens for _, answer in pairs)
    assert [planned.due_s for planned, _ in pairs] == sorted(planned.due_s for planned, _ in pairs)


def test_the_burst_is_a_plan_with_its_middle_above_capacity() -> None:
    """0.7, 1.3 and 0.7 of capacity, a third of the time each; another seed is another draw."""
    plan = held_out.burst_plan(50.0, 300.0, 3)
    due_s = plan.due_s
    rates = [np.count_nonzero((due_s >= at_s) & (due_s < at_s + 100)) / 100 for at_s in (0, 100, 200)]
    assert rates == pytest.approx([35, 65, 35], rel=0.05)
    assert held_out.burst_plan(50.0, 300.0, 3).hash == plan.hash
    assert held_out.burst_plan(50.0, 300.0, 4).hash != plan.hash
