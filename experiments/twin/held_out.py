"""The acceptance test of a calibration: a burst of arrivals that was not fitted, measured and predicted."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.twin.drive import Answer, Driver
from experiments.twin.profile import Profile
from experiments.twin.simulate import simulate
from gateway.limits import Limits

OPEN = Limits(max_active=1_000_000, queue_timeout_s=3600, request_timeout_s=3600)
TOTAL_ERROR = 0.05
P95_ERROR = 0.15


@dataclass(frozen=True, slots=True)
class Planned:
    """One arrival of the burst; the lengths are those that the engine counted."""

    due_s: float
    prompt_tokens: int
    output_tokens: int
    think_s: float = 0.0


async def measure(
    driver: Driver, profile: Profile, lengths: Sequence[tuple[int, int]], seconds: float, seed: int
) -> list[tuple[Planned, Answer]]:
    """Send Poisson arrivals at 0.9 of the predicted capacity, in the middle third at 1.3 of it."""
    capacity_per_s = predicted_capacity(profile, lengths)
    rng = np.random.default_rng(seed + 1000)
    due_s, t = [], 0.0
    while True:
        inside = seconds / 3 <= t < 2 * seconds / 3
        t += float(rng.exponential(1 / (capacity_per_s * (1.3 if inside else 0.7))))
        if t >= seconds:
            break
        due_s.append(t)
    begin_s = time.monotonic()

    async def one(at_s: float, prompt: int, output: int) -> tuple[Planned, Answer]:
        await asyncio.sleep(max(0.0, begin_s + at_s - time.monotonic()))
        answer = await driver.ask(prompt, output)
        return Planned(answer.sent_s - begin_s, answer.prompt_tokens, answer.output_tokens), answer

    work = zip(due_s, itertools.cycle(lengths), strict=False)
    answers = await asyncio.gather(*(one(at_s, prompt, output) for at_s, (prompt, output) in work))
    return sorted(answers, key=lambda pair: pair[0].due_s)


def predicted_capacity(profile: Profile, lengths: Sequence[tuple[int, int]]) -> float:
    """Requests per second of a closed loop that keeps the batch full."""
    users = 2 * profile.max_num_seqs
    work = [Planned(0.0, *pair) for pair in itertools.islice(itertools.cycle(lengths), 20 * users)]
    done = simulate(work, profile, OPEN, users=users)
    return len(work) / done.end_s


def judge(burst: Sequence[tuple[Planned, Answer]], profile: Profile) -> dict[str, Any]:
    """Predicted against measured, and whether that is good enough; times in seconds from the moment of
    sending.
    """
    predicted = simulate([planned for planned, _ in burst], profile, OPEN)
    measured_ttft = np.array([answer.first_s - answer.sent_s for _, answer in burst])
    measured_e2e = np.array([answer.last_s - answer.sent_s for _, answer in burst])
    begin_s = burst[0][1].sent_s - burst[0][0].due_s
    table: dict[str, dict[str, float]] = {}
    for name, measured, twin in (
        ("ttft_s", measured_ttft, predicted.first_s - predicted.due_s),
        ("e2e_s", measured_e2e, predicted.last_s - predicted.due_s),
    ):
        for label, level in (("p50", 0.5), ("p95", 0.95)):
            pair = float(np.quantile(measured, level)), float(np.quantile(twin, level))
            table[f"{name}_{label}"] = _compared(*pair)
    end_s = max(answer.last_s for _, answer in burst) - begin_s
    table["seconds_for_all_tokens"] = _compared(end_s, float(np.max(predicted.last_s)))
    failed = [
        f"{name} is off by {table[name]['error']:+.1%} (allowed ±{allowed:.0%})"
        for name, allowed in (
            ("seconds_for_all_tokens", TOTAL_ERROR),
            ("ttft_s_p95", P95_ERROR),
            ("e2e_s_p95", P95_ERROR),
        )
        if abs(table[name]["error"]) > allowed
    ]
    why = "; ".join(failed) or "the held-out burst came out as predicted: " + ", ".join(
        f"{name} {table[name]['error']:+.1%}"
        for name in ("seconds_for_all_tokens", "ttft_s_p95", "e2e_s_p95")
    )
    return {"passed": not failed, "why": why, "n": len(burst), "held_out": table}


def _compared(measured: float, predicted: float) -> dict[str, float]:
    return {"measured": measured, "predicted": predicted, "error": predicted / measured - 1}
