"""What the twin expects of one cell: each measure with an interval over traces and parameter draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.twin.profile import Profile
from experiments.twin.simulate import Simulated, simulate
from gateway.limits import Limits
from loadtests.plan import Plan
from loadtests.slo import SLO

MEASURES = (
    "goodput_per_s",
    "attainment",
    "rejected_ratio",
    "ttft_p95_s",
    "tpot_p95_s",
    "e2e_p95_s",
    "queue_p95_s",
)


@dataclass(frozen=True, slots=True)
class Expected:
    """A measure over the traces: its mean, and the 5 % and 95 % quantiles of single runs (nan: never
    defined).
    """

    mean: float
    low: float
    high: float


def predict_cell(
    plans: Sequence[Plan], profiles: Sequence[Profile], limits: Limits, slo: SLO
) -> dict[str, Expected]:
    """Play every plan, each with the next of the profiles (parameter draws), and collect `MEASURES`."""
    runs = [
        measures(plan, simulate(plan.arrivals, profiles[k % len(profiles)], limits), slo)
        for k, plan in enumerate(plans)
    ]
    table = {name: np.array([run[name] for run in runs]) for name in MEASURES}
    return {name: _expected(values) for name, values in table.items()}


def measures(plan: Plan, done: Simulated, slo: SLO) -> dict[str, float]:
    """`MEASURES` of one run, over the requests offered in the plan's measured window.

    TTFT and E2E run from the due time. nan where nothing was served.
    """
    begin_s, end_s = plan.phase_s("measure")
    inside = (done.due_s >= begin_s) & (done.due_s < end_s)
    tokens = np.array([arrival.output_tokens for arrival in plan.arrivals])
    ok = inside & np.array([outcome == "ok" for outcome in done.outcome], dtype=bool)
    ttft_s = (done.first_s - done.due_s)[ok]
    e2e_s = (done.last_s - done.due_s)[ok]
    tpot_s = ((done.last_s - done.first_s) / np.maximum(tokens - 1, 1))[ok]
    good = np.ones(len(ttft_s), dtype=bool)
    for bound, values in ((slo.ttft_s, ttft_s), (slo.tpot_s, tpot_s), (slo.e2e_s, e2e_s)):
        if bound is not None:
            good &= values <= bound
    offered = max(1, int(inside.sum()))
    return {
        "goodput_per_s": float(good.sum()) / (end_s - begin_s),
        "attainment": float(good.sum()) / offered,
        "rejected_ratio": 1 - float(ok.sum()) / offered,
        "ttft_p95_s": _p95(ttft_s),
        "tpot_p95_s": _p95(tpot_s),
        "e2e_p95_s": _p95(e2e_s),
        "queue_p95_s": _p95((done.granted_s - done.due_s)[ok]),
    }


def _p95(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return float(np.quantile(values, 0.95)) if len(values) else float("nan")


def _expected(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Expected:
    defined = values[~np.isnan(values)]
    if not len(defined):
        return Expected(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(defined, [0.05, 0.95])
    return Expected(float(defined.mean()), float(low), float(high))
