"""Measured cells beside what the twin says of them: every cell played on its own arrivals.

The prediction of a cell knows its plan, its limits and the calibration, not its measurements. `model_error`
is what remains of the error when the twin is as fast as the engine was in that very cell (`speed`, from its
steps); the rest is the machine's (`noise`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from experiments.calibration.held_out import speed_of_steps
from experiments.calibration.measured_cells import ReplayCell
from experiments.calibration.step_rows import rows_of_steps
from experiments.run_folder.cell_summary import Workload
from experiments.run_folder.prediction import PredictedMetric
from experiments.spec.setting import Setting
from experiments.twin.capacity import predicted_capacity
from experiments.twin.predicted import measures
from experiments.twin.profile import Profile, slower
from experiments.twin.simulate import simulate
from experiments.twin.simulated import OK, Simulated
from experiments.twin.through_lanes import offered_of
from loadtests.recording.quantiles import Quantile, of_sorted
from loadtests.slo import SLO

Floats = npt.NDArray[np.float64]
NAMES = ("ttft_s_p95", "e2e_s_p95", "tpot_s_p95", "goodput_per_s", "attainment")
LEVEL = 0.9
TTFT_LOAD = 0.9
"""TTFT near and above capacity is a matter of luck: it is scored up to this relative load."""


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """A cell beside its prediction; `load`: offered over what can be served; `speed`: measured over modelled
    seconds of its steps."""

    cell: str
    setting: Setting
    workload: Workload
    load: float
    speed: float
    metrics: Mapping[str, PredictedMetric]

    def to_json(self) -> dict[str, object]:
        """As stored in errors.json."""
        return {
            "cell": self.cell,
            "setting": self.setting.to_json(),
            "workload": asdict(self.workload),
            "load": self.load,
            "speed": self.speed,
            "metrics": {name: asdict(metric) for name, metric in self.metrics.items()},
        }


@dataclass(frozen=True, slots=True)
class MetricErrors:
    """The errors of one metric over all cells that count for it; None where none does.

    Attributes:
        n: cells.
        median, p90: of |error|; `mean` of the error with its sign.
        model_median, model_p90: of |model_error|.
        repeat_median, repeat_p90: how far two measurements of one plan under one setting differ.
        inside: how many lay in their interval.
    """

    n: int
    median: float | None
    p90: float | None
    mean: float | None
    model_median: float | None
    model_p90: float | None
    repeat_median: float | None
    repeat_p90: float | None
    inside: int


def compare(
    cells: Sequence[ReplayCell], profile: Profile, samples: Sequence[Profile], slo: SLO, lag_s: float
) -> list[ComparedCell]:
    """For every cell what the twin predicts, what was measured, and by how much it was off.

    Args:
        cells: measured.
        profile: the best estimate of the engine.
        samples: engines that it may be; their 5–95 % range is the prediction interval.
        slo: of the run.
        lag_s: of the load generator, s; added to TTFT and E2E, which count from the due time.
    """
    return [_cell(cell, profile, samples, slo, lag_s) for cell in cells]


def _cell(
    cell: ReplayCell, profile: Profile, samples: Sequence[Profile], slo: SLO, lag_s: float
) -> ComparedCell:
    speed = speed_of_steps(rows_of_steps(cell.answers), profile)
    best = _played(cell, profile, slo, lag_s)
    as_fast = _played(cell, slower(profile, speed), slo, lag_s)
    drawn = [_played(cell, sample, slo, lag_s) for sample in samples]
    metrics = {
        name: _metric(cell, name, best[name], as_fast[name], [played[name] for played in drawn])
        for name in NAMES
    }
    return ComparedCell(cell.id, cell.setting, cell.workload, load_of(cell, profile), speed, metrics)


def _played(cell: ReplayCell, profile: Profile, slo: SLO, lag_s: float) -> dict[str, float]:
    """The twin's measures of the cell."""
    offered = offered_of(cell.plan, cell.setting.table, cell.arrivals)
    return measured_of(cell, simulate(offered, profile, cell.setting.limits), slo, lag_s)


def measured_of(cell: ReplayCell, done: Simulated, slo: SLO, lag_s: float) -> dict[str, float]:
    """What a simulation of the cell comes to, by the names of `NAMES`; what the load generator's lag takes
    of the bounds is not the engine's to use.
    """
    judged = measures(cell.plan_as_counted, done, _without_lag(slo, lag_s))
    begin_s, end_s = cell.plan.phase_s("measure")
    ok = done.codes == OK
    ok &= (done.due_s >= begin_s) & (done.due_s < end_s)
    tokens = np.array([arrival.output_tokens for arrival in cell.arrivals])
    several = ok & (tokens > 1)  # an answer of one token has no time per token
    tpot_s = (done.last_s - done.first_s)[several] / (tokens[several] - 1)
    return {
        "ttft_s_p95": _p95((done.first_s - done.due_s)[ok] + lag_s),
        "e2e_s_p95": _p95((done.last_s - done.due_s)[ok] + lag_s),
        "tpot_s_p95": _p95(tpot_s),
        "goodput_per_s": judged["goodput_per_s"],
        "attainment": judged["attainment"],
    }


def _p95(values: Floats) -> float:
    found = of_sorted(np.sort(values).tolist(), 0.95)
    return math.nan if found is None else found


def _without_lag(slo: SLO, lag_s: float) -> SLO:
    """The objective less the generator's lag, for each load class."""
    return replace(
        slo,
        ttft_s=_less(slo.ttft_s, lag_s),
        ttfv_s=_less(slo.ttfv_s, lag_s),
        e2e_s=_less(slo.e2e_s, lag_s),
        classes=tuple((name, _without_lag(own, lag_s)) for name, own in slo.classes),
    )


def _less(bound: float | None, lag_s: float) -> float | None:
    return None if bound is None else max(1e-9, bound - lag_s)


def _metric(
    cell: ReplayCell, name: str, best: float, as_fast: float, drawn: Sequence[float]
) -> PredictedMetric:
    measured = seen_in(cell, name)
    known = [value for value in drawn if math.isfinite(value)]
    tails = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    span = tuple(float(np.quantile(known, tail)) for tail in tails) if known else None
    error, model_error = off(cell, name, best), off(cell, name, as_fast)
    return PredictedMetric(
        predicted=best if math.isfinite(best) else None,
        low=span[0] if span else None,
        high=span[1] if span else None,
        measured=measured.value,
        measured_low=measured.low,
        measured_high=measured.high,
        error=error,
        model_error=model_error,
        noise=error - model_error if error is not None and model_error is not None else None,
        inside=span is not None and measured.value is not None and span[0] <= measured.value <= span[1],
        scored=error is not None,
    )


def seen_in(cell: ReplayCell, name: str) -> Quantile:
    """What was measured of that name: value and interval; None where a p95 has too few requests to be one."""
    if name == "goodput_per_s":
        return Quantile(cell.goodput_per_s, None, None)
    if name == "attainment":
        return Quantile(cell.attainment, None, None)
    return cell.p95[name.removesuffix("_p95")]


def off(cell: ReplayCell, name: str, predicted: float) -> float | None:
    """Relative error; where nothing was good, the predicted part of all that was offered."""
    measured = seen_in(cell, name).value
    if measured is None or not math.isfinite(predicted):
        return None
    if measured:
        return predicted / measured - 1
    whole = {"goodput_per_s": cell.workload.rate_per_s, "attainment": 1.0}.get(name)
    return predicted / whole if whole else None


def scored(cells: Iterable[ComparedCell], name: str) -> list[PredictedMetric]:
    """The metric in all cells that count for it: TTFT only up to `TTFT_LOAD` of what the cell can serve."""
    return [
        cell.metrics[name]
        for cell in cells
        if cell.metrics[name].scored and (name != "ttft_s_p95" or cell.load <= TTFT_LOAD)
    ]


def table(cells: Sequence[ComparedCell]) -> dict[str, MetricErrors]:
    """The errors of each metric."""
    again = repeats(cells)
    rows: dict[str, MetricErrors] = {}
    for name in NAMES:
        counted = scored(cells, name)
        errors = [metric.error for metric in counted if metric.error is not None]
        model = [metric.model_error for metric in counted if metric.model_error is not None]
        rows[name] = MetricErrors(
            n=len(counted),
            median=_quantile(errors, 0.5),
            p90=_quantile(errors, 0.9),
            mean=float(np.mean(errors)) if errors else None,
            model_median=_quantile(model, 0.5),
            model_p90=_quantile(model, 0.9),
            repeat_median=_quantile(again[name], 0.5),
            repeat_p90=_quantile(again[name], 0.9),
            inside=sum(bool(metric.inside) for metric in counted),
        )
    return rows


def repeats(cells: Iterable[ComparedCell]) -> dict[str, list[float]]:
    """|a/b − 1| of every two measurements of the same plan under the same setting."""
    same: dict[tuple[Setting, str], list[ComparedCell]] = {}
    for cell in cells:
        same.setdefault((cell.setting, cell.workload.plan_hash or ""), []).append(cell)
    apart: dict[str, list[float]] = {name: [] for name in NAMES}
    for group, name in itertools.product(same.values(), NAMES):
        values = [metric.measured for metric in scored(group, name) if metric.measured is not None]
        apart[name] += [abs(a / b - 1) for a, b in itertools.combinations(values, 2) if b]
    return apart


def _quantile(errors: Sequence[float], level: float) -> float | None:
    """Of the absolute values."""
    return float(np.quantile(np.abs(errors), level)) if errors else None


def load_of(cell: ReplayCell, profile: Profile) -> float:
    """Offered rate over the rate that the model can serve with the cell's MAX_ACTIVE."""
    batch = min(profile.max_num_seqs, cell.setting.limits.max_active)
    lengths = [(arrival.prompt_tokens, arrival.output_tokens) for arrival in cell.arrivals]
    can_per_s = predicted_capacity(profile.model_copy(update={"max_num_seqs": batch}), lengths)
    return (cell.workload.rate_per_s or 0.0) / can_per_s
