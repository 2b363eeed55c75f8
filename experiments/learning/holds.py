"""What a recording holds of its engine, and what it lacks for a model of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.learning.production import Production
from experiments.learning.windows import Rows

LEAST_WINDOWS = 200
LEAST_FIRST = 20
SPREAD = 1.5
"""Least ratio of high to low concurrency that tells the cost of a sequence from that of a step."""
LONG_TOKENS = 2000
"""Prompts from here on are long."""


@dataclass(frozen=True, slots=True)
class Held:
    """Figures of a recording.

    Attributes:
        requests, hours: how many, over what span.
        windows, first_tokens: what could be fitted.
        concurrency_low, concurrency, concurrency_high: sequences that decoded together: what 5 %, half and 95
        % of the answers had at most.
        prompt_tokens_high: what 95 % of the prompts have at most. prompt_tokens_most: the longest.
        refused: why that is not enough for a model, in sentences; empty: it is.
        missing: what a model of it can only extrapolate to, in sentences.
    """

    requests: int
    hours: float
    windows: int
    first_tokens: int
    concurrency_low: float
    concurrency: float
    concurrency_high: float
    prompt_tokens_high: int
    prompt_tokens_most: int
    refused: tuple[str, ...]
    missing: tuple[str, ...]


def held(production: Production, rows: Rows) -> Held:
    """The figures, and the verdict on them."""
    beside = np.array([row.decoded / row.steps for row in rows.windows]) if rows.windows else np.ones(1)
    low, middle, high = (float(x) for x in np.quantile(beside, [0.05, 0.5, 0.95]))
    tokens = production.prompt_tokens
    prompt_high = int(np.quantile(tokens, 0.95))
    return Held(
        len(production), production.span_s / 3600, len(rows.windows), len(rows.first), round(low, 2),
        round(middle, 2), round(high, 2), prompt_high, int(tokens.max()),
        tuple(_refused(production, rows, low, high)),
        tuple(_missing(rows, high, prompt_high)),
    )  # fmt: skip


def _refused(production: Production, rows: Rows, low: float, high: float) -> list[str]:
    streams = int(production.timed.sum())
    if len(rows.windows) < LEAST_WINDOWS:
        return [
            f"{len(rows.windows)} of {len(production)} requests ({streams} of them answered as a stream) are "
            f"answers of enough tokens to time steps by, and {LEAST_WINDOWS} are needed: record for longer"
        ]
    if high < SPREAD * low:
        return [
            f"only one concurrency was seen: nine answers of ten had {low:.1f} to {high:.1f} sequences "
            "beside and with them, so that what a sequence costs cannot be told from what a step costs; "
            "record a quieter or a busier hour too"
        ]
    return []


def _missing(rows: Rows, high: float, prompt_high: int) -> list[str]:
    found = [f"more than {high:.0f} sequences at once were hardly ever seen"]
    if prompt_high < LONG_TOKENS:
        found.append(f"no long prompts: 19 of 20 have {prompt_high} tokens at most")
    if len(rows.first) < LEAST_FIRST:
        found.append(
            f"{len(rows.first)} first tokens came without a wait and without another prompt: what a request "
            "costs outside the engine's steps is hardly known"
        )
    return found
