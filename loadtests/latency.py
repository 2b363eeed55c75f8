"""The latencies of a request, each defined once, for one request and for columns of many.

All are seconds. What does not exist is None for one request and nan in a column (n,).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

SPANS = {
    "ttft_s": ("due_s", "first_s"),
    "ttft_from_send_s": ("sent_s", "first_s"),
    "ttfv_s": ("due_s", "visible_s"),
    "e2e_s": ("due_s", "finished_s"),
    "send_lag_s": ("due_s", "sent_s"),
}
"""Latency → the two moments of a record. What starts at the due time has the client's own lag in it."""


def span_s(start_s: float | None, end_s: float | None) -> float | None:
    """From one moment to another, where both exist."""
    return None if start_s is None or end_s is None else end_s - start_s


def tpot_s(first_s: float | None, last_s: float | None, output_tokens: float | None) -> float | None:
    """Time per output token of one request: (last - first chunk with content) / (output tokens - 1).

    None below two tokens, and where their number is unknown.
    """
    if first_s is None or last_s is None or output_tokens is None or output_tokens < 2:
        return None
    return (last_s - first_s) / (output_tokens - 1)


def span_column_s(name: str, moments: Mapping[str, Column]) -> Column:
    """One of `SPANS`, from columns of its moments. Raises KeyError for another name."""
    start, end = SPANS[name]
    return moments[end] - moments[start]


def tpot_column_s(first_s: Column, last_s: Column, output_tokens: Column) -> Column:
    """`tpot_s` of each request."""
    enough = output_tokens >= 2
    return np.where(enough, (last_s - first_s) / np.maximum(output_tokens - 1, 1), np.nan)
