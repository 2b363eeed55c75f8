"""Rounds of what users asked, from the rows that the gateway recorded."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from experiments.drift.round import Round
from loadtests.traffic.traffic import Traffic

Floats = npt.NDArray[np.float64]

LEAST_TOKENS = 16
"""Of an answer that says something of the time per token."""
LEAST_ANSWERS = 5
"""Of a round: fewer are too few for a median that can be relied on."""


def rounds_of(traffic: Traffic, every_s: float, from_unix_s: float | None = None) -> list[Round]:
    """The served streams of each stretch of `every_s` seconds, by the time of their arrival; the first begins
    at `from_unix_s` (None: with the first row), what came before only counts as in flight.

    How many others were in flight follows from the rows alone: who held a slot when. Answers that were asked
    for whole have no time per token and only count as in flight. A stretch with too few answers has none.
    """
    begun_s = traffic.arrived_unix_s + np.nan_to_num(traffic.queue_s)
    ended_s = traffic.arrived_unix_s + traffic.finished_s
    held = ~np.isnan(traffic.queue_s) & (ended_s > begun_s)
    first_s = traffic.arrived_unix_s + traffic.first_s
    last_s = traffic.arrived_unix_s + traffic.last_s
    judged = held & (traffic.output_tokens >= LEAST_TOKENS) & (last_s > first_s)
    judged &= traffic.slots <= 1
    in_flight = np.full(len(begun_s), np.nan)
    if judged.any():
        in_flight[judged] = (
            mean_in_flight(begun_s[held], ended_s[held], first_s[judged], last_s[judged]) - 1.0
        )
    tpot_s = traffic.tpot_s
    start_s = float(traffic.arrived_unix_s[0]) if from_unix_s is None else from_unix_s
    number = np.floor((traffic.arrived_unix_s - start_s) / every_s).astype(np.int64)
    # Rows are in order of arrival, so a round's are a slice.
    edges = np.searchsorted(number, np.arange(max(0, int(number[-1]) + 1) + 1))
    found = []
    for k, (begin, end) in enumerate(itertools.pairwise(edges.tolist())):
        answers = begin + np.flatnonzero(judged[begin:end])
        if len(answers) < LEAST_ANSWERS:
            answers = answers[:0]
        at_s = start_s + (k + 1) * every_s
        found.append(Round(at_s, np.maximum(in_flight[answers], 0.0).tolist(), tpot_s[answers].tolist()))
    return found


def mean_in_flight(begun_s: Floats, ended_s: Floats, from_s: Floats, until_s: Floats) -> Floats:
    """Mean number of the requests (begun, ended) that hold a slot, over each stretch [from, until)."""
    times_s = np.concatenate((begun_s, ended_s))
    steps = np.concatenate((np.ones(len(begun_s)), -np.ones(len(ended_s))))
    order = np.argsort(times_s, kind="stable")
    times_s, level = times_s[order], np.cumsum(steps[order])
    # Request-seconds up to each time; straight between them.
    spent = np.concatenate(([0.0], np.cumsum(level[:-1] * np.diff(times_s))))
    grown = np.interp(until_s, times_s, spent) - np.interp(from_s, times_s, spent)
    found: Floats = grown / (until_s - from_s)
    return found
