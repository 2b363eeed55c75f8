"""The served requests of one cell as a joint histogram over TTFT, TPOT and E2E, small enough for a page.

Bytes, all numbers as LEB128: for each of the three latencies how many different places it has and their
differences; then how many boxes are not empty, and for each, in order, twice the difference of its number to
the one before, plus one where more than one request follows as a count. A box's number is (a · |B| + b) · |C|
+ c, with a, b, c the ranks of its three places.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loadtests.slo import SLO
from reports.bound_grid import places

AXES = ("ttft_s", "tpot_s", "e2e_s")

Whole = NDArray[np.int64]


def packed(measured: pd.DataFrame, bounds: Sequence[NDArray[np.float64]], fixed: SLO) -> str:
    """Base64 of the histogram.

    Args:
        measured: the records of the measured window, with derived latencies.
        bounds: for each of `AXES`, seconds, ascending.
        fixed: what stays of the objective whatever is chosen; who misses that is good under no bounds.
    """
    ok = (measured["outcome"] == "ok").to_numpy(bool)
    served = measured[fixed.judge_columns(ok, lambda name: measured[name].to_numpy(float))]
    axes = [places(served[name].to_numpy(float), own) for name, own in zip(AXES, bounds, strict=True)]
    # Without a first token neither a bound on TTFT nor one on TPOT is met.
    silent = served["first_s"].isna().to_numpy(bool)
    for axis, own in zip(axes[:2], bounds[:2], strict=True):
        axis[silent] = len(own) + 1
    return base64.b64encode(_encoded(axes)).decode("ascii")


def _encoded(axes: Sequence[Whole]) -> bytes:
    ranked = [np.unique(axis, return_inverse=True) for axis in axes]
    numbers = np.zeros(len(axes[0]), np.int64)
    for used, rank in ranked:
        numbers = numbers * max(1, len(used)) + rank
    boxes, counts = np.unique(numbers, return_counts=True)
    several = counts > 1
    steps = np.diff(boxes, prepend=0) * 2 + several
    pairs = np.stack([steps, counts], axis=1).ravel()
    kept = np.stack([np.ones(len(boxes), bool), several], axis=1).ravel()
    head = [part for used, _ in ranked for part in ([len(used)], np.diff(used, prepend=0))]
    return _leb128(np.concatenate([*head, [len(boxes)], pairs[kept]]).astype(np.int64))


def _leb128(numbers: Whole) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow. Numbers are below 2^56."""
    left = numbers[:, None] >> (7 * np.arange(8))
    more = (left[:, 1:] > 0).astype(np.uint8) << 7
    digits = (left & 0x7F).astype(np.uint8)
    digits[:, :-1] |= more
    used = left > 0
    used[:, 0] = True
    return digits[used].tobytes()
