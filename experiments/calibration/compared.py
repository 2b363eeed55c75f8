"""Measured cells beside what the twin says of them: every cell played on its own arrivals.

The prediction of a cell knows its plan, its limits and the calibration, not its measurements. `model_error`
is what remains of the error when the twin is as fast as the engine was in that very cell (`speed`, from its
steps); the rest is the machine's (`noise`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from experiments.calibration.held_out import predicted_capacity, slower, speed_of_steps
from experiments.calibration.measured_cells import MeasuredCell
from experiments.calibration.step_rows import rows_of_steps
from experiments.twin.predicted import measures
from experiments.twin.profile import Profile
from experiments.twin.simulate import simulate
from loadtests.slo import SLO

NAMES = ("ttft_s_p95", "e2e_s_p95", "tpot_s_p95", "goodput_per_s", "attainment")
LEVEL = 0.9
TTFT_LOAD = 0.9
"""TTFT near and above capacity is a matter of luck: it is scored up to this relative load."""


def compare(
    cells: Sequence[MeasuredCell], profile: Profile, samples: Sequence[Profile], slo: SLO, lag_s: float
) -> list[dict[str, Any]]:
    """The `cells` part of predicted.json: for every cell what the twin said, what came, and by how much it
    was off.

    Args:
        cells: measured.
        profile: the best estimate of the engine.
        samples: engines that it may be; their 5–95 % range is the prediction interval.
        slo: of the run.
        lag_s: of the load generator, s; added to TTFT and E2E, which count from the due time.
    """
    return [_cell(cell, profile, samples, slo, lag_s) for cell in cells]


def _cell(
    cell: MeasuredCell, profile: Profile, samples: Sequence[Profile], slo: SLO, lag_s: float
) -> dict[str, Any]:
    speed = speed_of_steps(rows_of_steps(cell.answers), profile)
    best = _played(cell, profile, slo, lag_s)
    as_fast = _played(cell, slower(profile, speed), slo, lag_s)
    drawn = [_played(cell, sample, slo, lag_s) for sample in samples]
    metrics = {
        name: _metric(cell, name, best[name], as_fast[name], [run[name] for run in drawn]) for name in NAMES
    }
    workload = {
        key: cell.summary["workload"].get(key)
        for key in ("scenario", "rate_per_s", "relative_load", "block", "seed", "plan_hash")
    }
    setting = cell.summary["setting"]
    return {
        "cell": cell.id,
        "setting": setting,
        "workload": workload,
        "load": load_of(cell, profile),
        "speed": speed,
        "metrics": metrics,
    }


def _played(cell: MeasuredCell, profile: Profile, slo: SLO, lag_s: float) -> dict[str, float]:
    """The twin's measures of the cell; what the load generator's lag takes of the bounds is not the
    engine's to use.
    """
    inner = replace(slo, ttft_s=_less(slo.ttft_s, lag_s), e2e_s=_less(slo.e2e_s, lag_s))
    done = simulate(cell.arrivals, profile, cell.limits)
    found = measures(cell.plan, done, inner)
    begin_s, end_s = cell.plan.phase_s("measure")
    ok = np.array([outcome == "ok" for outcome in done.outcome], dtype=bool)
    ok &= (done.due_s >= begin_s) & (done.due_s < end_s)
    gaps = np.maximum([arrival.output_tokens - 1 for arrival in cell.arrivals], 1)
    return {
        "ttft_s_p95": _p95((done.first_s - done.due_s)[ok] + lag_s),
        "e2e_s_p95": _p95((done.last_s - done.due_s)[ok] + lag_s),
        "tpot_s_p95": _p95(((done.last_s - done.first_s) / gaps)[ok]),
        "goodput_per_s": found["goodput_per_s"],
        "attainment": found["attainment"],
    }


def _p95(values: np.ndarray[Any, Any]) -> float:
    """As the summary of a cell takes it: a value of the sample, not interpolated."""
    return float(np.quantile(values, 0.95, method="inverted_cdf")) if len(values) else math.nan


def _less(bound: float | None, lag_s: float) -> float | None:
    return None if bound is None else max(1e-9, bound - lag_s)


def _metric(
    cell: MeasuredCell, name: str, best: float, as_fast: float, drawn: Sequence[float]
) -> dict[str, Any]:
    measured, low, high = _measured(cell.summary, name)
    known = [value for value in drawn if math.isfinite(value)]
    tails = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    span = [float(np.quantile(known, tail)) for tail in tails] if known else None
    workload = cell.summary["workload"]
    whole = {"goodput_per_s": float(workload["rate_per_s"]), "attainment": 1.0}.get(name)
    error = _off(best, measured, whole)
    model_error = _off(as_fast, measured, whole)
    return {
        "predicted": best if math.isfinite(best) else None,
        "low": span[0] if span else None,
        "high": span[1] if span else None,
        "measured": measured,
        "measured_low": low,
        "measured_high": high,
        "error": error,
        "model_error": model_error,
        "noise": error - model_error if error is not None and model_error is not None else None,
        "inside": measured is not None and span is not None and span[0] <= measured <= span[1],
        "scored": error is not None,
    }


def _measured(summary: dict[str, Any], name: str) -> tuple[float | None, float | None, float | None]:
    """Value and interval; None where a p95 has too few requests to be one."""
    if name in ("goodput_per_s", "attainment"):
        value = summary["rates"][name] if name == "goodput_per_s" else summary[name]
        return (None if value is None else float(value)), None, None
    p95 = summary["latency"][name.removesuffix("_p95")]["p95"]
    return p95["value"], p95["low"], p95["high"]


def _off(predicted: float, measured: float | None, whole: float | None) -> float | None:
    """Relative error; where nothing was good, the part of all that was offered (`whole`) that was
    predicted.
    """
    if measured is None or not math.isfinite(predicted):
        return None
    if measured:
        return predicted / measured - 1
    return predicted / whole if whole else None


def scored(cells: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The metric in all cells that count for it: TTFT only up to `TTFT_LOAD` of what the cell can serve."""
    return [
        cell["metrics"][name]
        for cell in cells
        if cell["metrics"][name]["scored"] and (name != "ttft_s_p95" or cell["load"] <= TTFT_LOAD)
    ]


def table(cells: Sequence[dict[str, Any]]) -> dict[str, dict[str, float | int | None]]:
    """Per metric: cells, median and 90 % quantile of |error|, its mean with sign, the same of what is the
    model's, how far two measurements of one plan differ, and how many lay inside their interval."""
    again = repeats(cells)
    rows: dict[str, dict[str, float | int | None]] = {}
    for name in NAMES:
        counted = scored(cells, name)
        errors = np.array([one["error"] for one in counted])
        model = np.array([one["model_error"] for one in counted])
        rows[name] = {
            "n": len(counted),
            "median": _quantile(np.abs(errors), 0.5),
            "p90": _quantile(np.abs(errors), 0.9),
            "mean": float(errors.mean()) if len(errors) else None,
            "model_median": _quantile(np.abs(model), 0.5),
            "model_p90": _quantile(np.abs(model), 0.9),
            "repeat_median": _quantile(np.array(again[name]), 0.5),
            "repeat_p90": _quantile(np.array(again[name]), 0.9),
            "inside": sum(one["inside"] for one in counted),
        }
    return rows


def repeats(cells: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """|a/b − 1| of every two measurements of the same plan under the same setting."""
    same: dict[str, list[dict[str, Any]]] = {}
    for cell in cells:
        same.setdefault(f"{cell['setting']}{cell['workload']['plan_hash']}", []).append(cell)
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    for group, name in itertools.product(same.values(), NAMES):
        values = [one["measured"] for one in scored(group, name)]
        found[name] += [abs(a / b - 1) for a, b in itertools.combinations(values, 2) if b]
    return found


def _quantile(values: np.ndarray[Any, Any], level: float) -> float | None:
    return float(np.quantile(values, level)) if len(values) else None


def load_of(cell: MeasuredCell, profile: Profile) -> float:
    """Offered rate over the rate that the model can serve with the cell's MAX_ACTIVE."""
    batch = min(profile.max_num_seqs, cell.limits.max_active)
    lengths = [(a.prompt_tokens, a.output_tokens) for a in cell.arrivals]
    can_per_s = predicted_capacity(profile.model_copy(update={"max_num_seqs": batch}), lengths)
    return float(cell.summary["workload"]["rate_per_s"]) / can_per_s
