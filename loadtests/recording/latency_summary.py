"""One latency of many requests, or sessions: its mean and quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtests.recording.quantiles import Quantile, quantile

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Latency:
    """One latency of the served requests, seconds."""

    n: int
    """requests (or gaps) that have it"""
    mean: float | None
    p50: Quantile
    p95: Quantile
    p99: Quantile


def latency_of(sample: NDArray[np.floating[Any]]) -> Latency:
    """Of values (n,) in seconds, none of them nan."""
    mean = float(sample.mean(dtype=np.float64)) if len(sample) else None
    return Latency(
        n=len(sample), mean=mean,
        **{key: quantile(sample, q) for key, q in QUANTILES.items()},
    )  # fmt: skip
