"""Rows for the fit from an engine's own counters: windows between two readings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.calibration.fit import FitRow
from experiments.observe import engine_counters
from experiments.observe.engine_metrics import EngineMetrics


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters at one time, monotonic seconds; 0 for what the engine does not have.

    Attributes:
        steps: engine steps.
        generated, prompt, cached: tokens generated, in prompts, and of those found in the prefix cache.
        first_tokens: requests that had their first token.
        gaps_s, gaps: sum of the gaps between tokens, seconds, and their number.
        kv_use: share of the KV cache in use, now.
        running: requests in the batch, now.
    """

    at_s: float
    steps: float = 0.0
    generated: float = 0.0
    prompt: float = 0.0
    cached: float = 0.0
    first_tokens: float = 0.0
    gaps_s: float = 0.0
    gaps: float = 0.0
    kv_use: float = 0.0
    running: float = 0.0

    @classmethod
    def of(cls, page: str, at_s: float, metrics: EngineMetrics) -> Reading:
        """From an engine's metrics page."""
        names = {
            "steps": metrics.steps,
            "generated": metrics.output_tokens,
            "prompt": metrics.prompt_tokens,
            "cached": metrics.prefix_hit_tokens,
            "first_tokens": metrics.ttft_s and f"{metrics.ttft_s}_count",
            "gaps_s": metrics.gap_s and f"{metrics.gap_s}_sum",
            "gaps": metrics.gap_s and f"{metrics.gap_s}_count",
            "kv_use": metrics.kv_use_ratio,
            "running": metrics.running,
        }
        sums = engine_counters.sums(page, {name for name in names.values() if name})
        return cls(at_s, **{field: sums.get(name, 0.0) for field, name in names.items() if name})


def rows_of_counters(
    readings: Sequence[Reading], users: int, kv_tokens: int, block_size: int
) -> list[FitRow]:
    """Windows between neighbouring readings of a closed loop.

    With two users or more the engine is never idle, and a window's seconds are its steps'. One user leaves it
    idle between two requests: there the gaps between tokens, which are steps, stand for the window. The
    context is what the KV blocks hold, less the half block that is empty at the end of a sequence on average.
    """
    rows = []
    for before, after in itertools.pairwise(readings):
        steps = after.steps - before.steps
        if steps < 5:
            continue
        running = (before.running + after.running) / 2
        context = max(0.0, (before.kv_use + after.kv_use) / 2 * kv_tokens - running * block_size / 2)
        if users == 1:
            gaps = after.gaps - before.gaps
            rows.append(FitRow(after.gaps_s - before.gaps_s, gaps, gaps, 0.0, context * gaps))
        elif min(before.running, after.running) > 0:
            arrived = after.first_tokens - before.first_tokens  # in a closed loop as many as ended
            rows.append(
                FitRow(
                    seconds=after.at_s - before.at_s,
                    steps=steps,
                    decoded=after.generated - before.generated - arrived,
                    prompt=after.prompt - before.prompt - (after.cached - before.cached),
                    context=context * steps,
                    prompts=arrived,
                    arrived=arrived,
                )
            )
    return rows
