"""A recording as a trace, to be played again: arrivals, lengths, lanes and sessions as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from loadtests.planning.trace_files.trace import Trace, TraceError
from loadtests.planning.workloads import Counts
from loadtests.traffic import lengths, table
from loadtests.traffic.segments import TrafficError
from loadtests.traffic.traffic import Names, Traffic

_NOT_PLAYED = (
    "clients that left, and prompts that begin alike outside of a session, are not played as such: "
    "--scenario recorded does it"
)


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
    """Every request is in it, however it ended; what nobody counted is as `lengths` says.
    recorded: how many rows there were, where some are left out.
    """
    measured = traffic.measured
    if not measured.any():
        raise TraceError(f"trace {name}: holds no request whose lengths are known")
    unknown = ~measured
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
        lengths.prompt_tokens(traffic),
        lengths.output_tokens(traffic, seed),
        _numbers(traffic.session),
        np.full(len(traffic), -1, dtype=np.int64),
        tuple(lane or "recorded" for lane in traffic.lane),
        tuple(notes),
        "recording",
    )


def _numbers(sessions: Names) -> Counts:
    """From 0 in order of appearance; -1 for none."""
    none = np.array([name == "" for name in sessions.names])
    named = sessions.codes[~none[sessions.codes]]
    _, first = np.unique(named, return_index=True)
    rank = np.full(len(sessions.names), -1, dtype=np.int64)
    for number, code in enumerate(named[np.sort(first)].tolist()):
        rank[code] = number
    return rank[sessions.codes]
