"""What a setting does when more is offered than it can carry: what it keeps, what it sheds, and how fast."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtests.record import RequestRecord
from loadtests.recording.quantiles import rank
from loadtests.slo import SLO

SURELY_ABOVE = 1.15
"""Times the capacity from which on a load is above it beyond doubt: it is known to some per cent only."""


@dataclass(frozen=True, slots=True)
class Overload:
    """One cell above capacity, over the requests offered in its measured window; shares are 0 to 1."""

    load_ratio: float
    """offered rate over the capacity under the objective"""
    kept_ratio: float
    """goodput over that at capacity"""
    shed_ratio: float
    """refused, or timed out in the queue"""
    refused_p95_s: float | None
    """from due to the answer, of those turned away at once; none where nobody was"""
    waited_p95_s: float | None
    """the same of those whose wait for a slot ended without one"""

    def __str__(self) -> str:
        rows = [f"{self.kept_ratio:.0%} of the goodput kept", f"{self.shed_ratio:.0%} shed"]
        if self.refused_p95_s is not None:
            rows.append(f"refusals answered within {short_span(self.refused_p95_s)} (p95)")
        if self.waited_p95_s is not None:
            rows.append(f"given up after {short_span(self.waited_p95_s)} in the queue (p95)")
        return f"at {self.load_ratio:.2g} × capacity: {', '.join(rows)}"


def overload(
    records: Sequence[RequestRecord], slo: SLO, duration_s: float, capacity_per_s: float
) -> Overload | None:
    """Of a cell's measured records (window of `duration_s` seconds), the capacity being that under `slo`,
    requests per second; None where nothing was offered."""
    if not records:
        return None
    good_per_s = sum(slo.judge(record) for record in records) / duration_s
    target = sum(slo.of(record.cls).attainment for record in records) / len(records)
    shed = [record for record in records if record.outcome.shed]
    return Overload(
        load_ratio=len(records) / duration_s / capacity_per_s,
        kept_ratio=good_per_s / (capacity_per_s * target),
        shed_ratio=len(shed) / len(records),
        refused_p95_s=_p95_s([r for r in shed if r.outcome.rejected]),
        waited_p95_s=_p95_s([r for r in shed if not r.outcome.rejected]),
    )


def _p95_s(records: Sequence[RequestRecord]) -> float | None:
    took_s = np.sort([record.e2e_s for record in records if record.e2e_s is not None])
    return float(took_s[rank(len(took_s), 0.95)]) if len(took_s) else None


def short_span(seconds: float) -> str:
    """`0.0041` → `4.1 ms`; for people."""
    return f"{float(f'{seconds:.2g}'):g} s" if seconds >= 1 else f"{float(f'{seconds * 1e3:.2g}'):g} ms"
