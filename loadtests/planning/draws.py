"""What of a plan is drawn: when requests are due, and how long their prompts and answers are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from loadtests.planning.mix import Floats, Mix
from loadtests.planning.scenarios import SCENARIOS, Shape, due_times, peak_rate_per_s
from loadtests.planning.workloads import Counts, Workload


def stream(seed: int, purpose: str) -> np.random.Generator:
    """One independent stream per purpose, so that e.g. other lengths leave the arrivals as they are."""
    return np.random.default_rng([seed, *purpose.encode()])


def times(
    scenario: str, workload: Workload, rate_per_s: float, warm_up_s: float, measure_s: float, shape: Shape,
    rng: np.random.Generator, cool_down_s: float = 0.0,
) -> tuple[Floats, Counts]:  # fmt: skip
    """Due times and the number of the client class each belongs to; `cool_down_s`: for so long after the
    window they go on at the mean rate."""
    plain = scenario == "sustained"
    if workload.clients:
        parts = [
            due_times("gamma" if plain else scenario, rate_per_s * c.share, warm_up_s, measure_s,
                      replace(shape, cv=c.cv), rng, cool_down_s)
            for c in workload.clients
        ]  # fmt: skip
        owner = np.concatenate([np.full(len(part), k) for k, part in enumerate(parts)])
        order = np.argsort(np.concatenate(parts), kind="stable")
        return np.concatenate(parts)[order], owner[order]
    if plain and workload.cv is not None:
        scenario, shape = "gamma", replace(shape, cv=workload.cv)
    elif plain and workload.on_off:
        scenario = "on-off"
    due_s = due_times(scenario, rate_per_s, warm_up_s, measure_s, shape, rng, cool_down_s)
    return due_s, np.zeros(len(due_s), dtype=np.int64)


def lengths(
    workload: Workload, mix: Mix, owner: Counts, rng: np.random.Generator
) -> tuple[tuple[Counts, Counts], list[str]]:
    """Prompt and output lengths (n,) in tokens, and what was clipped, in words."""
    prompt, output = np.ones(len(owner), np.int64), np.ones(len(owner), np.int64)
    pairs = [(c.prompt, c.output) for c in workload.clients] or [(workload.prompt, workload.output)]
    clipped = np.zeros(2)
    for k, (prompts, outputs) in enumerate(pairs):
        mine = np.flatnonzero(owner == k)
        prompt[mine], share_in = prompts.draw(len(mine), rng, mix.max_prompt_tokens)
        output[mine], share_out = outputs.draw(len(mine), rng, mix.max_output_tokens)
        clipped += np.array([share_in, share_out]) * len(mine) / max(1, len(owner))
    sides = zip(("prompt", "output"), clipped, (mix.max_prompt_tokens, mix.max_output_tokens), strict=True)
    return (prompt, output), [
        f"{share:.1%} of the {side} lengths were clipped (limit {limit} tokens)"
        for side, share, limit in sides
        if share
    ]


def peak(scenario: str, rate_per_s: float, measure_s: float, shape: Shape) -> dict[str, float]:
    """The highest rate of an open loop, requests per second, as a parameter of its plan."""
    if SCENARIOS[scenario].loop == "closed":
        return {}
    return {"peak_rate_per_s": peak_rate_per_s(scenario, rate_per_s, measure_s, shape)}
