"""Finds the engine's single steps in what the clients saw.

Every sequence of a batch gets its token at the end of the same step, so the chunks of all streams come in
bunches. A bunch says when a step ended, which sequences decoded in it (they had a chunk before), which
prompts it completed (first chunks), and how long their contexts were. The bunch before it says when the
step began. Between the two, requests were sent: the engine's server took them in while the step ran. That
is a step log without the engine's help.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.calibration.fit import FitRow
from experiments.observe.ask import StreamedAnswer

BUNCH_S = 0.25
"""Chunks of one step lie within this part of the median step."""
EDGE_S = 0.001
"""What arrives this shortly before a step's end costs time in the next one."""


@dataclass(slots=True)
class _Bunch:
    """Chunks of one step, each (request, which token of it); its time is that of the middle chunk."""

    times_s: list[float]
    chunks: list[tuple[int, int]]

    @property
    def at_s(self) -> float:
        return self.times_s[len(self.times_s) // 2]


def rows_of_steps(answers: Sequence[StreamedAnswer]) -> list[FitRow]:
    """A row for each step whose begin and composition are certain.

    Left out are bunches in which a sequence has two tokens, or whose decoding sequences did not all have
    their token before in the bunch before (a late chunk split or merged them), and steps that only computed
    prompts (their begin is not seen).
    """
    bunches = _bunches(answers)
    sent_s = sorted(answer.sent_s for answer in answers)
    rows = []
    for before, now in itertools.pairwise(bunches):
        decoding = [(request, k) for request, k in now.chunks if k > 0]
        first = [request for request, k in now.chunks if k == 0]
        if not decoding or len({request for request, _ in now.chunks}) < len(now.chunks):
            continue
        continued = {
            (request, k + 1) for request, k in before.chunks if k + 1 < len(answers[request].times_s)
        }
        if set(decoding) != continued:
            continue
        prompt = sum(answers[request].prompt_tokens for request in first)
        context = sum(answers[request].prompt_tokens + k for request, k in decoding) + prompt
        since_s, until_s = before.at_s - EDGE_S, now.at_s - EDGE_S
        arrived = bisect.bisect(sent_s, until_s) - bisect.bisect(sent_s, since_s)
        ended = len(before.chunks) - len(continued)
        rows.append(
            FitRow(
                seconds=now.at_s - before.at_s,
                steps=1,
                decoded=len(decoding),
                prompt=prompt,
                context=context,
                prompts=float(bool(first)),
                arrived=arrived,
                ended=ended,
                pairs=sum(answers[request].prompt_tokens ** 2 for request in first) / 2,
            )
        )
    return rows


def row_of_alone(seconds: float, prompt_tokens: int) -> FitRow:
    """A prompt on an idle engine: one step over it, and the overhead."""
    return FitRow(
        seconds, 1, 0, prompt_tokens, prompt_tokens, 1.0, alone=1.0, pairs=prompt_tokens * prompt_tokens / 2
    )


def rows_of_single_prompts(answers: Sequence[StreamedAnswer]) -> list[FitRow]:
    """Each prompt alone on the engine."""
    return [row_of_alone(answer.first_s - answer.sent_s, answer.prompt_tokens) for answer in answers]


def _bunches(answers: Sequence[StreamedAnswer]) -> list[_Bunch]:
    """All chunks in order of time, cut where the pause is longer than a quarter of the median
    gap of a stream.
    """
    gaps = sorted(b - a for answer in answers for a, b in itertools.pairwise(answer.times_s))
    if not gaps:
        return []
    pause_s = BUNCH_S * gaps[len(gaps) // 2]
    chunks = sorted((t, i, k) for i, answer in enumerate(answers) for k, t in enumerate(answer.times_s))
    bunches: list[_Bunch] = []
    for t, i, k in chunks:
        if bunches and t - bunches[-1].times_s[-1] <= pause_s:
            bunches[-1].times_s.append(t)
            bunches[-1].chunks.append((i, k))
        else:
            bunches.append(_Bunch([t], [(i, k)]))
    return bunches
