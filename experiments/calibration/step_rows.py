"""The engine's steps, as the fit of a calibration takes them."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.calibration.fit import FitRow
from experiments.observe.ask import StreamedAnswer
from experiments.speed.steps import Steps, steps_of


def rows_of_steps(answers: Sequence[StreamedAnswer]) -> list[FitRow]:
    """A row for each step that can be told in the answers."""
    return rows_of(steps_of(answers))


def rows_of(steps: Steps) -> list[FitRow]:
    """The same steps as rows."""
    columns = (
        *(steps.seconds, steps.decoded, steps.prompt, steps.context),
        *(steps.first, steps.arrived, steps.ended, steps.pairs),
    )
    return [
        FitRow(
            seconds=seconds, steps=1, decoded=decoded, prompt=prompt, context=context,
            prompts=float(first > 0), arrived=arrived, ended=ended, pairs=pairs,
        )
        for seconds, decoded, prompt, context, first, arrived, ended, pairs in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]  # fmt: skip


def row_of_alone(seconds: float, prompt_tokens: int) -> FitRow:
    """A prompt on an idle engine: one step over it, and the overhead."""
    return FitRow(
        seconds, 1, 0, prompt_tokens, prompt_tokens, 1.0, alone=1.0, pairs=prompt_tokens * prompt_tokens / 2
    )


def rows_of_single_prompts(answers: Sequence[StreamedAnswer]) -> list[FitRow]:
    """Each prompt alone on the engine."""
    return [row_of_alone(answer.first_s - answer.sent_s, answer.prompt_tokens) for answer in answers]
