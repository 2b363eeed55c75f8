"""Finding an engine's steps in the chunks of its streams."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.calibration.fit import FitRow
from experiments.calibration.step_rows import rows_of_steps
from experiments.observe.ask import StreamedAnswer
from experiments.twin.profile import TINY_CPU
from experiments.twin.scheduler import Scheduler, Sequence


def played(jitter_s: float, seed: int = 1) -> tuple[list[StreamedAnswer], set[tuple[float, float, float]]]:
    """A closed loop of six on the engine model: what its clients see, and (decoding, prompt, context) of
    its steps.
    """
    rng = np.random.default_rng(seed)
    engine, timing = Scheduler(TINY_CPU.limits), TINY_CPU.step_time
    times: dict[Sequence, list[float]] = {}
    truth, now_s, made = set(), 0.0, 0
    while made < 40 or engine.running:
        while made < 40 and engine.running + engine.waiting < 6:
            sequence = Sequence(int(rng.integers(10, 300)), int(rng.integers(4, 40)))
            times[sequence] = []
            engine.add(sequence)
            made += 1
        step = engine.begin()
        assert step is not None
        now_s += timing.duration_s(step.decode, step.tokens, step.kv_tokens)
        truth.add((float(step.decode), float(step.prefill_tokens), float(step.kv_tokens)))
        for sequence in (*engine.decoding, *step.first_tokens):
            times[sequence].append(now_s + float(rng.uniform(0, jitter_s)))
        engine.end()
    answers = [
        StreamedAnswer(0.0, tuple(chunks), s.prompt_tokens, s.output_tokens, chunks[-1])
        for s, chunks in times.items()
    ]
    return answers, truth


@pytest.mark.parametrize("jitter_s", [0.0, 0.002])
def test_the_steps_found_are_those_that_were(jitter_s: float) -> None:
    """Composition exactly, duration to the jitter; nearly all steps are found."""
    answers, truth = played(jitter_s)
    rows = rows_of_steps(answers)
    timing = TINY_CPU.step_time
    assert len(rows) > 0.9 * len(truth)
    for row in rows:
        assert (row.decoded, row.prompt, row.context) in truth
        expected_s = timing.duration_s(int(row.decoded), int(row.decoded + row.prompt), int(row.context))
        assert row.seconds == pytest.approx(expected_s, abs=2 * jitter_s + 1e-9)


def test_a_chunk_that_comes_late_costs_its_step_only() -> None:
    """A token held back into the next bunch makes both bunches uncertain: they are left out, not misread."""
    answers, truth = played(0.0)
    late = list(answers[3].times_s)
    late[2] = late[3]
    answers[3] = replace(answers[3], times_s=tuple(late))
    rows: list[FitRow] = rows_of_steps(answers)
    assert all((row.decoded, row.prompt, row.context) in truth for row in rows)


def test_nothing_streamed_is_no_row() -> None:
    """Answers of one token have no gaps."""
    assert rows_of_steps([StreamedAnswer(0.0, (1.0,), 5, 1, 1.0)]) == []
