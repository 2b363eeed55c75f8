"""What the model predicted and what was measured: the section of a run that `experiments.tune` made."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.run_folder.prediction import Coverage, Prediction
from reports import labels, numbers, svg, tables
from reports.blocks import Block
from reports.plots import Plots
from reports.run import Run
from reports.tables import Table


@dataclass(frozen=True, slots=True)
class PredictionSection:
    """`warnings` come first: the model was refused, or had to be mended. `facts` are what it rests on and
    what it cost. `drawing`, `errors` and `matrix` are None where there is nothing of the kind.
    """

    warnings: list[str]
    facts: list[tuple[str, str]]
    drawing: Block | None
    errors: Table | None
    matrix: Table | None


def prediction_section(run: Run) -> PredictionSection | None:
    """The section, None without a predicted.json."""
    prediction = run.prediction
    if prediction is None:
        return None
    compared = len(run.predicted) > 0
    return PredictionSection(
        _warnings(prediction),
        _facts(prediction),
        _drawing(run, prediction) if compared else None,
        tables.errors(run) if compared else None,
        tables.predicted_matrix(prediction, run.naming, run.engine) if prediction.matrix else None,
    )


def _warnings(prediction: Prediction) -> list[str]:
    gate = prediction.model.gate
    warnings = []
    if prediction.fallback:
        warnings.append(f"Fallback: {prediction.fallback}.")
    elif gate.passed is not True:
        tried = "was not passed" if gate.passed is False else "was not tried"
        warnings.append(f"The model's gate {tried}: {gate.why or 'no reason given'}.")
    if prediction.recalibrated:
        why = f": {prediction.recalibration}" if prediction.recalibration else ""
        warnings.append(f"The model was calibrated again after the first cells{why}.")
    return warnings


def _facts(prediction: Prediction) -> list[tuple[str, str]]:
    model, cost, coverage = prediction.model, prediction.cost, prediction.coverage
    facts = [
        ("Model", " · ".join(text for text in (model.name, model.label) if text)),
        ("Fitted to", model.source),
        ("Parameter draws", numbers.count(model.draws)),
        ("ModelGate", f"passed: {model.gate.why}" if model.gate.passed else ""),
        ("Recalibrated", "yes" if prediction.recalibrated else "no"),
        ("Fallback", "yes" if prediction.fallback else "no"),
        (f"In their {_level(coverage)} intervals", _inside(coverage)),
        ("Engine time used", numbers.seconds(cost.engine_s_used)),
        ("The whole matrix would take", numbers.seconds(cost.engine_s_grid)),
        ("Used, of that", numbers.percent(cost.ratio)),
    ]
    return [(name, value) for name, value in facts if value not in ("", numbers.DASH)]


def _level(coverage: Coverage) -> str:
    return numbers.percent(coverage.level).replace(".0", "")


def _inside(coverage: Coverage) -> str:
    if not coverage.of:
        return ""
    share = numbers.percent(coverage.inside / coverage.of)
    return f"{numbers.count(coverage.inside)} of {numbers.count(coverage.of)} scored values ({share})"


def _drawing(run: Run, prediction: Prediction) -> Block:
    caption = (
        "Each point is one cell. Up: what was predicted for arrivals not yet known, with its "
        f"{_level(prediction.coverage)} prediction interval. Right: what the cell measured, with its 95 % "
        "interval. Below the diagonal the model was too low, above it too high; the band is ±10 %. "
        f"{_scored(run)}"
    )
    return Block(
        "predicted",
        "Predicted and measured",
        caption,
        svg.inline(Plots(run).predicted(), "predicted", _alt(run)),
        tables.accuracy(run),
    )


def _scored(run: Run) -> str:
    vague = int((~run.predicted["scored"].astype(bool)).sum())
    return f"{vague} of {len(run.predicted)} values are measured too vaguely to judge by." if vague else ""


def _alt(run: Run) -> str:
    names = [labels.predicted_name(metric) for metric in dict.fromkeys(run.predicted["metric"])]
    return f"Predicted against measured {', '.join(names)}, a point per cell; errors in the tables below."
