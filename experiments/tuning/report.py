"""What `tune` leaves in the run folder beside the cells: recommendation.json and predicted.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from experiments.run_folder.cell_summary import Workload
from experiments.run_folder.prediction import (
    Coverage,
    EngineTime,
    ModelGate,
    ModelUsed,
    PredictedCell,
    PredictedMetric,
    PredictedSetting,
    Prediction,
)
from experiments.run_folder.recommendation import LoadEvidence, Neighbour, Recommendation
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.stats.goodput import Interval
from experiments.stats.paired import DELTA
from experiments.tuning import accuracy
from experiments.tuning.accuracy import Compared
from experiments.tuning.calibration_used import Calibrated
from experiments.tuning.control import Estimate
from experiments.tuning.procedure import Tuned
from experiments.tuning.task import MeasuredRun, Task
from experiments.twin.predicted import of_class

LEVEL = 0.9
"""Of the prediction intervals."""
_NAMES = {"ttft_p95_s": "ttft_s_p95", "e2e_p95_s": "e2e_s_p95", "tpot_p95_s": "tpot_s_p95"}


def recommendation(task: Task, tuned: Tuned, engine: str, doubts: list[str]) -> Recommendation:
    """The chosen setting with its evidence."""
    decision, decisive = tuned.decision, tuned.verification.decisive
    chosen = decision.chosen
    loads = tuple(_load(tuned, chosen, load) for load in task.loads)
    at = next(row for row in loads if row.load == str(decisive))
    return Recommendation(
        setting=chosen,
        cell_ids=tuple(seen.cell.id for seen in tuned.seen if seen.cell.setting == chosen),
        slo=str(task.slo),
        engine=engine,
        worst_regret=decision.regret[chosen],
        loads=loads,
        goodput_per_s=at.goodput_per_s,
        attainment=next(row.attainment for row in loads if row.load == str(task.nominal)),
        capacity=None,
        why=_why(task, tuned),
        neighbours=tuple(
            _neighbour(tuned, setting, decisive) for setting in decision.regret if setting != chosen
        ),
        inseparable=tuple(setting for setting in decision.tied if setting != chosen),
        doubts=(*_doubts(task, tuned, loads), *doubts),
        env=chosen.env(),
        source="tune",
    )


def predicted(task: Task, tuned: Tuned, model: Calibrated, cost: EngineTime) -> Prediction:
    """Predicted beside measured, cell by cell, and the whole predicted matrix."""
    rows = [accuracy.compare(tuned.outlook, seen, tuned.evidence.same[seen.cell]) for seen in tuned.seen]
    inside, of = accuracy.coverage(rows)
    regret, goodput = tuned.outlook.regret, tuned.outlook.goodput
    return Prediction(
        model=_model_used(model),
        cells=tuple(_cell(task, tuned, seen, row) for seen, row in zip(tuned.seen, rows, strict=True)),
        cost=cost,
        coverage=Coverage(LEVEL, inside, of),
        fallback=None,
        recalibrated=tuned.recalibrated is not None,
        recalibration=tuned.recalibrated,
        loads=tuple(str(load) for load in task.loads),
        matrix=tuple(
            PredictedSetting(setting, tuple(goodput[i].tolist()), float(regret[i]))
            for i, setting in enumerate(task.settings)
        ),
    )


def refused(model: Calibrated, why: str, cost: EngineTime) -> Prediction:
    """Of a run whose model was not good enough to predict anything."""
    return Prediction(
        model=_model_used(model),
        cells=(),
        cost=cost,
        coverage=Coverage(LEVEL, 0, 0),
        fallback=why,
        recalibrated=False,
        recalibration=None,
        loads=(),
        matrix=(),
    )


def _cell(task: Task, tuned: Tuned, seen: MeasuredRun, row: Mapping[str, Compared]) -> PredictedCell:
    cell = seen.cell
    return PredictedCell(
        cell=cell.id,
        setting=cell.setting,
        workload=Workload.planned(cell.load, cell.block, task.plan(cell).header.seed),
        why=next(why for s, load, why in tuned.pairs if (s, load) == (cell.setting, cell.load)),
        speed=seen.speed,
        metrics={_NAMES.get(name, name): _metric(one) for name, one in row.items()},
    )


def _model_used(model: Calibrated) -> ModelUsed:
    profile = model.model.profile
    return ModelUsed(
        name=profile.name,
        source=profile.source,
        label=model.label,
        draws=len(model.model.draws),
        gate=ModelGate(model.passed, model.why),
    )


def _metric(one: Compared) -> PredictedMetric:
    low, high = one.measured_interval or (None, None)
    return PredictedMetric(
        predicted=_finite(one.predicted.mean),
        low=_finite(one.predicted.low),
        high=_finite(one.predicted.high),
        measured=one.measured,
        measured_low=low,
        measured_high=high,
        error=one.error,
        model_error=one.model_error,
        noise=one.noise,
        inside=one.inside,
        scored=one.scored,
    )


def _load(tuned: Tuned, setting: Setting, load: Load) -> LoadEvidence:
    """One load of the chosen setting: its estimate where it was measured there, else the prediction as the
    measured cells corrected it."""
    decision = tuned.decision
    estimate = decision.estimates.get((setting, load))
    forecast = tuned.outlook_now.interval(setting, load, "attainment")
    goodput = Interval(decision.values[setting, load], None, None)
    if estimate is not None:
        goodput = Interval(estimate.value, estimate.low, estimate.high)
    seen = [s.values["attainment"] for s in tuned.seen if (s.cell.setting, s.cell.load) == (setting, load)]
    return LoadEvidence(
        load=str(load),
        rate_per_s=load.rate_per_s,
        goodput_per_s=goodput,
        best_goodput_per_s=decision.best[load],
        attainment=sum(seen) / len(seen) if seen else forecast.mean,
        measured=bool(seen),
    )


def _why(task: Task, tuned: Tuned) -> str:
    found, decisive = tuned.decision, tuned.verification.decisive
    text = (
        f"{len(task.settings)} settings at {len(task.loads)} loads were predicted and {len(found.regret)} "
        f"verified at "
        f"{decisive}, where the model was least sure which is best. {found.chosen.name} loses at most "
        f"{found.regret[found.chosen]:.1%} of the best goodput at any load."
    )
    if found.chosen != found.winner:
        text += (
            f" {found.winner.name} is ahead by less than 1 % of regret, and admits more at once or queues "
            f"longer."
        )
    estimate = found.estimates[found.chosen, decisive]
    return f"{text} {_model_error(estimate)}"


def _model_error(estimate: Estimate) -> str:
    if not estimate.value:
        return "Nothing was good enough at that load."
    off = round(-estimate.model_error / estimate.value, 3)
    if not off:
        return f"There the model was right to 0.1 % of the goodput on the same {estimate.runs} traces."
    return (
        f"There the model was off by {off:+.1%} of the goodput on the same {estimate.runs} traces; the "
        "estimate is corrected by that."
    )


def _neighbour(tuned: Tuned, setting: Setting, load: Load) -> Neighbour:
    found = tuned.decision
    estimate = found.estimates[setting, load]
    value, low, high = found.gaps[setting]
    if low is None or high is None:
        why = f"{value:+.2f} good requests/s against it at {load}, from too few runs for an interval"
    elif low > 0:
        why = f"{value:.2f} good requests/s fewer at {load} (95 %: {low:.2f} to {high:.2f})"
    elif high < 0:
        why = (
            f"{-value:.2f} good requests/s more at {load} (95 %: {-high:.2f} to {-low:.2f}), but fewer "
            f"elsewhere"
        )
    elif max(abs(low), abs(high)) <= DELTA * found.best[load]:
        why = f"equal within {DELTA:.0%} at {load} (95 %: {low:+.2f} to {high:+.2f} good requests/s)"
    else:
        why = f"cannot be told apart at {load} ({value:+.2f}/s, 95 %: {low:.2f} to {high:.2f})"
    return Neighbour(
        setting=setting,
        name=setting.name,
        goodput_per_s=Interval(estimate.value, estimate.low, estimate.high),
        worst_regret=found.regret[setting],
        why_not=f"{why}; loses up to {found.regret[setting]:.1%} of the best at some load",
    )


def _doubts(task: Task, tuned: Tuned, loads: Sequence[LoadEvidence]) -> list[str]:
    doubts = [tuned.recalibrated] if tuned.recalibrated else []
    nominal = next(row for row in loads if row.load == str(task.nominal))
    doubts += _of_classes(task, tuned)
    if not task.slo.classes and nominal.attainment < task.slo.attainment:
        doubts.append(
            f"the SLO asks for {task.slo.attainment:.0%} of the offered requests; at {nominal.load} "
            f"{nominal.attainment:.1%} meet it{'' if nominal.measured else ' (predicted)'}"
        )
    only = [row.load for row in loads if not row.measured]
    if only:
        doubts.append(f"predicted, not measured, for the chosen setting: {', '.join(only)}")
    if tuned.decision.undecided:
        names = ", ".join(setting.name for setting in tuned.decision.undecided)
        doubts.append(f"can't tell these apart from {tuned.decision.winner.name} within the budget: {names}")
    return doubts


def _of_classes(task: Task, tuned: Tuned) -> list[str]:
    """Load classes whose objective the chosen setting is not expected to meet."""
    expected = [
        (name, own, tuned.outlook_now.interval(tuned.decision.chosen, task.nominal, of_class(name)).mean)
        for name, own in task.slo.classes
    ]
    return [
        f"the objective of {name} asks for {own.attainment:.0%} of its requests; at {task.nominal} "
        f"{share:.1%} meet it (predicted)"
        for name, own, share in expected
        if share < own.attainment
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
