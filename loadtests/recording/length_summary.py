"""Lengths in tokens, in four figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loadtests.planning.workloads import Counts
from loadtests.recording import quantiles


@dataclass(frozen=True, slots=True)
class LengthSummary:
    """Tokens of one side of the requests."""

    mean: float
    p50: int
    p95: int
    max: int

    @classmethod
    def of(cls, tokens: Counts) -> LengthSummary:
        """Of at least one length."""
        ordered = np.sort(tokens)
        p50, p95 = (int(ordered[quantiles.rank(len(ordered), q)]) for q in (0.5, 0.95))
        return cls(round(float(ordered.mean()), 2), p50, p95, int(ordered[-1]))


def as_rows(sides: dict[str, LengthSummary | None]) -> list[str]:
    """Lines of a table, its head first; a side that is None has no row."""
    lines = [f"{'tokens':8}{'mean':>12}{'p50':>12}{'p95':>12}{'max':>12}"]
    for side, lengths in sides.items():
        if lengths is not None:
            figures = (f"{lengths.mean:,.1f}", f"{lengths.p50:,}", f"{lengths.p95:,}", f"{lengths.max:,}")
            lines.append(f"{side:8}" + "".join(f"{figure:>12}" for figure in figures))
    return lines
