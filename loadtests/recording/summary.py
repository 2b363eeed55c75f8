"""What a load run found: counts, rates, attainment and exact percentiles with their intervals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.recording import table
from loadtests.recording.quantiles import quantile
from loadtests.recording.table import Table
from loadtests.slo import SLO

LATENCIES = (
    "ttft_s", "ttft_from_send_s", "tpot_s", "itl_s", "e2e_s", "queue_s", "upstream_s", "send_lag_s",
)  # fmt: skip
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def summarise(
    records: Iterable[RequestRecord] | Table, plan: Plan, slo: SLO, phase: str = "measure"
) -> dict[str, Any]:
    """Summary of one phase.

    Every share and rate is over the requests *offered* (planned) in the phase and its whole length; in a
    closed loop, where nothing is planned, over those issued. Latencies are of served requests (`ok`);
    `send_lag_s` of all that were sent. A quantile below its least n is {"value": None, …, "why"}. Also has
    "missing" (planned, but without a record) and, for several classes, "classes" (name → the same summary).
    """
    data = records if isinstance(records, Table) else table.from_records(records)
    start_s, end_s = plan.phase_s(phase)
    mask = _of_phase(data, phase)
    offered = plan.offered(phase) if plan.header.loop == "open" else int(mask.sum())
    summary = _summary(data, mask, offered, end_s - start_s, slo)
    if len(data.classes) > 1:
        by_class = [a.cls for a in plan.arrivals if a.phase == phase]
        summary["classes"] = {
            name: _summary(
                data,
                mask & (data.cls == k),
                by_class.count(name) if plan.header.loop == "open" else int((mask & (data.cls == k)).sum()),
                end_s - start_s,
                slo,
            )
            for k, name in enumerate(data.classes)
        }
    return summary


def _of_phase(data: Table, phase: str) -> NDArray[np.bool_]:
    code = data.phases.index(phase) if phase in data.phases else -1
    return np.asarray(data.phase == code)


def _summary(data: Table, mask: NDArray[np.bool_], offered: int, length_s: float, slo: SLO) -> dict[str, Any]:
    ok = data.ok() & mask
    served, good = int(ok.sum()), int((data.in_slo(slo) & mask).sum())
    tokens = float(np.nansum(data.numbers["output_tokens"][ok]))
    return {
        "counts": {
            "offered": offered,
            "recorded": int(mask.sum()),
            "missing": offered - int(mask.sum()),
            "outcomes": data.outcomes(mask),
            "served_in_slo": good,
            "served_late": served - good,
            "attempts": int(data.attempts[mask].sum()),
        },
        "rates": {
            "offered_per_s": _per(offered, length_s),
            "achieved_per_s": _per(served, length_s),
            "goodput_per_s": _per(good, length_s),
            "output_tokens_per_s": _per(tokens, length_s),
        },
        "attainment": good / offered if offered else None,
        "latency": {name: _latency(_sample(data, name, mask, ok)) for name in LATENCIES},
    }


def _per(amount: float, length_s: float) -> float | None:
    return amount / length_s if length_s > 0 else None


def _sample(
    data: Table, name: str, mask: NDArray[np.bool_], ok: NDArray[np.bool_]
) -> NDArray[np.floating[Any]]:
    if name == "itl_s":
        return data.gap_s if ok.all() else data.gap_s[np.repeat(ok, data.gap_owner_n)]
    values = data.times(name)[mask if name == "send_lag_s" else ok]
    return values[~np.isnan(values)]


def _latency(sample: NDArray[np.floating[Any]]) -> dict[str, Any]:
    """n, mean and quantiles; seconds."""
    mean = float(sample.mean(dtype=np.float64)) if len(sample) else None
    found = {key: quantile(sample, q) for key, q in QUANTILES.items()}
    return {"n": len(sample), "mean": mean, **found}
