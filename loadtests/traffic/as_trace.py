"""A recording as a trace, to be played again: arrivals, lengths, lanes and sessions as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests.planning.trace_files.trace import Trace, TraceError
from loadtests.planning.workloads import Counts
from loadtests.traffic import table
from loadtests.traffic.segments import TrafficError
from loadtests.traffic.traffic import Names, Traffic

_NOT_PLAYED = "clients that left, and prompts that begin alike outside of a session, are not played as such"


def read(folder: Path, seed: int = 1) -> Trace:
    """The trace of a recording's folder. seed: ≥ 0, of the answers' lengths that nobody knows.

    Raises:
        TraceError: it cannot be read, or holds no request whose lengths are known.
    """
    try:
        recorded = table.traffic(folder)
        return of(recorded.generating(), folder.name, seed, len(recorded))
    except TrafficError as error:
        raise TraceError(f"trace {error}") from None


def of(traffic: Traffic, name: str, seed: int, recorded: int | None = None) -> Trace:
    """Every request is in it, however it ended. Of one that was refused or broke off the prompt has as many
    tokens as its bytes have elsewhere, and the answer the length of some other one, at most what was asked.
    recorded: how many rows there were, where some are left out.
    """
    measured = traffic.measured
    if not measured.any():
        raise TraceError(f"trace {name}: holds no request whose lengths are known")
    prompts, outputs = traffic.prompt_tokens.copy(), traffic.output_tokens.copy()
    unknown = ~measured
    without_prompt = prompts <= 0
    prompts[without_prompt] = _prompt_tokens(traffic, measured)[without_prompt]
    rng = np.random.default_rng([seed, 9])
    drawn = rng.choice(outputs[measured], int(unknown.sum()))
    most = np.where(traffic.max_tokens > 0, traffic.max_tokens, drawn.max(initial=1))[unknown]
    outputs[unknown] = np.minimum(drawn, most)
    notes = [_NOT_PLAYED]
    if recorded is not None and recorded > len(traffic):
        notes.append(f"{recorded - len(traffic)} requests that generate nothing are not played")
    if unknown.any():
        notes.append(
            f"{unknown.sum()} requests were refused or broke off: the lengths of their answers are drawn "
            f"from the others (seed {seed})"
        )
    if traffic.damaged:
        notes.append(f"{traffic.damaged} damaged lines left out")
    return Trace(
        name,
        traffic.arrival_s,
        np.maximum(prompts, 1),
        np.maximum(outputs, 1),
        _numbers(traffic.session),
        np.full(len(traffic), -1, dtype=np.int64),
        tuple(lane or "recorded" for lane in traffic.lane),
        tuple(notes),
        "recording",
    )


def _prompt_tokens(traffic: Traffic, measured: NDArray[np.bool_]) -> Counts:
    """By the bytes of the text where it was read, else by those of the whole request; the median where
    neither is known.
    """
    tokens = traffic.prompt_tokens
    estimate = np.full(len(traffic), float(np.median(tokens[measured])))
    for size in (traffic.body_bytes, traffic.prompt_bytes):
        both = measured & (size > 0)
        if both.any():
            per_byte = float(np.median(tokens[both] / size[both]))
            estimate = np.where(size > 0, size * per_byte, estimate)
    found: Counts = np.rint(estimate).astype(np.int64)
    return found


def _numbers(sessions: Names) -> Counts:
    """From 0 in order of appearance; -1 for none."""
    none = np.array([name == "" for name in sessions.names])
    named = sessions.codes[~none[sessions.codes]]
    _, first = np.unique(named, return_index=True)
    rank = np.full(len(sessions.names), -1, dtype=np.int64)
    for number, code in enumerate(named[np.sort(first)].tolist()):
        rank[code] = number
    return rank[sessions.codes]
