"""Fits the step-time model to what a live engine showed.

Two kinds of rows, each a time and what took it:

- *windows* in which the engine was never idle (one step, or what lies between two readings of the
  counters): the seconds are those of `steps` steps with so many decoded tokens, prompt tokens and context
  tokens read, in which so many requests arrived and ended;
- *prompts* sent alone: one step over `tokens` prompt tokens, plus a constant `overhead` outside the step.

Model of a window: seconds = a·steps + b·decoded + c·over(T0) + d·context + e·pairs + f·arrived + g·ended.
`over` counts the tokens above the knee in the steps that compute prompts (as many as there were prompts, at
most all) and in the others, each kind at its mean size. `pairs` are the comparisons of attention within
prompts, half their squares: of the same lengths again and again they cannot be told from the tokens, and e
is 0 then. f and g are what the API server takes from the engine where both share a core; on a machine that
gives it one of its own they come out as zero.

All parameters are non-negative; T0 is chosen on a grid. The errors are weighted with 1/modelled seconds, in
a few rounds (iteratively reweighted least squares). The obvious weight, 1/measured seconds, favours rows
that happened to be short: with steps that vary by 12 % it made the model 3 % too fast. The uncertainty
comes from a bootstrap over blocks of neighbouring rows, which share disturbances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

Floats = npt.NDArray[np.float64]
KNEES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 48.0, 64.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0)
NAMES = (
    "base_s",
    "per_decode_s",
    "per_token_s",
    "per_kv_token_s",
    "overhead_s",
    "arrival_work_s",
    "end_work_s",
    "per_pair_s",
)
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class FitRow:
    """One observation.

    Attributes:
        seconds: how long it took.
        steps: engine steps in it.
        decoded: tokens that decoding sequences computed.
        prompt: prompt tokens computed.
        context: context tokens read, summed over the steps.
        prompts: number of prompts they belong to.
        alone: 1 for a single prompt, whose time includes the overhead outside the step; else 0.
        arrived: requests that reached the engine's server meanwhile.
        ended: requests whose answer was completed by the step before.
        pairs: of a prompt token and one before it, summed over the prompts.
    """

    seconds: float
    steps: float
    decoded: float
    prompt: float
    context: float
    prompts: float = 0.0
    alone: float = 0.0
    arrived: float = 0.0
    ended: float = 0.0
    pairs: float = 0.0


@dataclass(frozen=True, slots=True)
class Fit:
    """The parameters, and how well they are known.

    Attributes:
        values: by name: `NAMES` and `knee_tokens`; seconds and tokens.
        draws: bootstrap values, shape (draws, 9), columns as in `values`.
        low, high: 90 % intervals of the draws, by name.
        relative_error: median of |seconds/predicted − 1| over the rows.
        condition: condition number of the weighted, column-scaled design: above about 30 parameters trade
            places.
        remarks: what the data cannot tell.
    """

    values: dict[str, float]
    draws: Floats
    low: dict[str, float]
    high: dict[str, float]
    relative_error: float
    condition: float
    remarks: tuple[str, ...]


def fit(rows: Sequence[FitRow], *, draws: int = 200, block: int = 4, seed: int = 0) -> Fit:
    """Fit the rows; `block` neighbours are drawn together in the bootstrap.

    Raises:
        ValueError: fewer rows than parameters.
    """
    if len(rows) <= len(NAMES):
        raise ValueError(f"{len(rows)} rows cannot tell {len(NAMES) + 1} parameters")
    table = table_of(rows)
    if not _lengths_vary(table):
        table[:, 9] = 0
    best = _solve(table)
    rng = np.random.default_rng(seed)
    alone = np.flatnonzero(table[:, 6] > 0)
    together = np.flatnonzero(table[:, 6] == 0)
    blocks = [together[start : start + block] for start in range(0, len(together), block)]
    drawn = []
    for _ in range(draws):
        # The few prompts alone are drawn by themselves: a draw without them would not know the overhead.
        chosen = [blocks[k] for k in rng.integers(len(blocks), size=len(blocks))] if blocks else []
        index = np.concatenate([rng.choice(alone, len(alone)) if len(alone) else alone, *chosen])
        drawn.append(_solve(table[index], knees=_near(best[-1])))
    cloud = np.array(drawn).reshape(draws, len(NAMES) + 1)
    names = (*NAMES, "knee_tokens")
    low, high = np.quantile(cloud, [0.05, 0.95], axis=0) if draws else (best, best)
    predicted = modelled_s(table, best)
    return Fit(
        values=dict(zip(names, best.tolist(), strict=True)),
        draws=cloud,
        low=dict(zip(names, low.tolist(), strict=True)),
        high=dict(zip(names, high.tolist(), strict=True)),
        relative_error=float(np.median(np.abs(table[:, 0] / predicted - 1))),
        condition=_condition(table, best),
        remarks=_remarks(best, low),
    )


def table_of(rows: Sequence[FitRow]) -> Floats:
    """The rows as an array, shape (rows, 10)."""
    return np.array(
        [
            [
                r.seconds,
                r.steps,
                r.decoded,
                r.prompt,
                r.context,
                r.prompts,
                r.alone,
                r.arrived,
                r.ended,
                r.pairs,
            ]
            for r in rows
        ]
    ).reshape(len(rows), 10)


def _lengths_vary(table: Floats) -> bool:
    """Do prompts differ enough in length that the square can be told from the tokens?"""
    has = table[:, 9] > 0
    means = 2 * table[has, 9] / table[has, 3]
    return bool(len(means)) and float(np.quantile(means, 0.95)) > 3 * float(np.quantile(means, 0.05))


def modelled_s(table: Floats, values: Floats) -> Floats:
    """Seconds of each row of `table_of` under `values` (as a row of `Fit.draws`), shape (rows,)."""
    seconds: Floats = _design(table, values[-1]) @ values[:-1]
    return seconds


def _solve(table: Floats, knees: Sequence[float] = KNEES, rounds: int = ROUNDS) -> Floats:
    """Least squares of the relative errors for each knee; the best of them, knee last."""
    solutions: list[tuple[float, Floats]] = []
    for knee in knees:
        design = _design(table, knee)
        seconds = table[:, 0]
        for _ in range(rounds):
            solution = _non_negative(design / seconds[:, None], table[:, 0] / seconds)
            seconds = np.maximum(design @ solution, 1e-9)
        error = float(np.mean((table[:, 0] / seconds - 1) ** 2))
        solutions.append((error, np.append(solution, knee)))
    return min(solutions, key=lambda entry: entry[0])[1]


def _non_negative(design: Floats, wanted: Floats) -> Floats:
    """argmin over x ≥ 0 of |design·x − wanted|, with columns scaled alike; from the root of the normal
    equations, so that its cost hardly grows with the rows.
    """
    scale = np.linalg.norm(design, axis=0)
    scale[scale == 0] = 1
    scaled = design / scale
    gram = scaled.T @ scaled
    root = np.linalg.cholesky(gram + 1e-12 * np.eye(len(gram)))
    solution, _ = scipy.optimize.nnls(root.T, np.linalg.solve(root, scaled.T @ wanted))
    return np.asarray(solution / scale, dtype=np.float64)


def _design(table: Floats, knee: float) -> Floats:
    _, steps, decoded, prompt, context, prompts, alone, arrived, ended, pairs = table.T
    decode = decoded / steps
    mixed = np.minimum(prompts, steps)
    over = np.maximum(prompt + (decode - knee) * mixed, 0) + np.maximum(decode - knee, 0) * (steps - mixed)
    return np.column_stack([steps, decoded, over, context, alone, arrived, ended, pairs])


def _near(knee: float) -> Sequence[float]:
    place = KNEES.index(knee)
    return KNEES[max(0, place - 2) : place + 3]


def _condition(table: Floats, best: Floats) -> float:
    design = _design(table, best[-1]) / modelled_s(table, best)[:, None]
    used = design[:, (best[:-1] > 0) & design.any(axis=0)]  # a column of zeros says nothing
    return float(np.linalg.cond(used / np.linalg.norm(used, axis=0))) if used.size else float("inf")


def _remarks(best: Floats, low: Floats) -> tuple[str, ...]:
    texts = {
        "per_decode_s": "the cost of a decoding sequence cannot be told from 0",
        "per_token_s": "the cost of a prompt token cannot be told from 0",
        "per_kv_token_s": "the cost of context cannot be told from 0: long contexts are extrapolation",
        "overhead_s": "the time outside the steps cannot be told from 0",
        "arrival_work_s": "what an arrival takes from the engine cannot be told from 0 "
        "(its server has a core)",
        "per_pair_s": "the cost of attention within prompts cannot be told from 0",
        "end_work_s": "what a request's end takes from the engine cannot be told from 0",
    }
    return tuple(texts[name] for name, value in zip(NAMES, low, strict=False) if name in texts and value <= 0)
