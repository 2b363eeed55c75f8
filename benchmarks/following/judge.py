"""Goodput of a run in windows, and what is made of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.following.engines import CHANGE_S, END_S, Case
from experiments.twin.simulated import OK, Simulated

WINDOW_S = 30.0
SEEDS, STARTS = (11, 12), (2, 64)
FIXED = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    12,
    14,
    16,
    18,
    20,
    22,
    25,
    28,
    32,
    36,
    40,
    45,
    50,
    56,
    64,
    72,
    80,
    96,
    112,
    128,
)


def windows(case: Case, done: Simulated, output: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Good answers per second by the time they were due, in windows of 30 s (22,)."""
    good = done.codes == OK
    tpot_s = (done.last_s - done.first_s) / np.maximum(output - 1, 1)
    good &= ~(tpot_s > case.tpot_s) & ~(done.first_s - done.due_s > case.ttft_s)
    edges = np.arange(0, END_S + 1, WINDOW_S)
    counts, _ = np.histogram(done.due_s[good], edges)
    return counts / WINDOW_S


FIRST = slice(int(120 / WINDOW_S), int(CHANGE_S / WINDOW_S))
SECOND = slice(int((CHANGE_S + 180) / WINDOW_S), int(END_S / WINDOW_S))
