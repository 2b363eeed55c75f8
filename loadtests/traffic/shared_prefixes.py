"""How much of the prompts had been there before, by the hashes of their leading bytes."""

from __future__ import annotations

import numpy as np

from loadtests.latency import Column
from loadtests.traffic.row import PREFIX_CHARACTERS, PREFIX_ENDS_BYTES
from loadtests.traffic.traffic import Traffic


def seen_before_bytes(traffic: Traffic) -> Column:
    """Of each prompt (n,) the bytes with which an earlier one of the recording had begun, at least; 0 of the
    first of its kind, nan where a prompt was not read.

    Up to the next of PREFIX_ENDS_BYTES more may have been alike.
    """
    known: set[str] = set()
    found = np.full(len(traffic), np.nan)
    read = (traffic.prompt_bytes >= 0).tolist()
    for i, prefix in enumerate(traffic.prefix):
        if not read[i]:
            continue
        found[i] = 0.0
        ends = range(PREFIX_CHARACTERS, len(prefix) + 1, PREFIX_CHARACTERS)
        for k in reversed(range(len(ends))):
            if prefix[: ends[k]] in known:
                found[i] = PREFIX_ENDS_BYTES[k]
                break
        known.update(prefix[:end] for end in ends)
    return found
