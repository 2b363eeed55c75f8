"""What the model foretold and what was measured: the section of a run that `experiments.tune` made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from reports import figures, labels, numbers, svg, tables
from reports.blocks import Block
from reports.folder import items, number, part, text
from reports.run import Run
from reports.tables import Table


@dataclass(frozen=True, slots=True)
class Prediction:
    """`warnings` come first: the model was refused, or had to be mended. `facts` are what it rests on and
    what it cost. `drawing`, `errors` and `matrix` are None where there is nothing of the kind.
    """

    warnings: list[str]
    facts: list[tuple[str, str]]
    drawing: Block | None
    errors: Table | None
    matrix: Table | None


def prediction(run: Run) -> Prediction | None:
    """The section, None without a predicted.json."""
    if not run.prediction:
        return None
    compared = len(run.predicted) > 0
    return Prediction(
        _warnings(run.prediction),
        _facts(run.prediction),
        _drawing(run) if compared else None,
        tables.errors(run) if compared else None,
        tables.foretold(run) if items(run.prediction, "matrix") else None,
    )


def _warnings(found: Any) -> list[str]:
    gate = part(found, "model", "gate")
    said = []
    if text(found.get("fallback")):
        said.append(f"Fallback: {text(found.get('fallback'))}.")
    elif gate.get("passed") is not True:
        tried = "was not passed" if gate.get("passed") is False else "was not tried"
        said.append(f"The model's gate {tried}: {text(gate.get('why')) or 'no reason given'}.")
    if found.get("recalibrated") is True:
        why = text(found.get("recalibration"))
        said.append(f"The model was calibrated again after the first cells{': ' + why if why else ''}.")
    return said


def _facts(found: Any) -> list[tuple[str, str]]:
    model, cost, coverage = part(found, "model"), part(found, "cost"), part(found, "coverage")
    gate = part(model, "gate")
    level, of = number(coverage.get("level")), number(coverage.get("of"))
    told = [
        ("Model", " · ".join(t for t in (text(model.get("name")), text(model.get("label"))) if t)),
        ("Fitted to", text(model.get("source"))),
        ("Parameter draws", numbers.count(number(model.get("draws")))),
        ("Gate", f"passed: {text(gate.get('why'))}" if gate.get("passed") is True else ""),
        ("Recalibrated", "yes" if found.get("recalibrated") is True else "no"),
        ("Fallback", "yes" if text(found.get("fallback")) else "no"),
        (
            f"In their {numbers.percent(level).replace('.0', '')} intervals",
            "" if not of or math.isnan(of) else _of(number(coverage.get("inside")), of, "scored values"),
        ),
        ("Engine time used", numbers.seconds(number(cost.get("engine_s_used")))),
        ("The whole matrix would take", numbers.seconds(number(cost.get("engine_s_grid")))),
        ("Used, of that", numbers.percent(number(cost.get("ratio")))),
    ]
    return [(name, value) for name, value in told if value not in ("", numbers.DASH)]


def _of(inside: float, of: float, what: str) -> str:
    return f"{numbers.count(inside)} of {numbers.count(of)} {what} ({numbers.percent(inside / of)})"


def _drawing(run: Run) -> Block:
    level = numbers.percent(number(part(run.prediction, "coverage").get("level"))).replace(".0", "")
    caption = (
        f"Each point is one cell. Up: what was foretold for arrivals not yet known, with its {level} "
        "prediction interval. Right: what the cell measured, with its 95 % interval. Below the diagonal the "
        f"model was too low, above it too high; the band is ±10 %. {_scored(run)}"
    )
    return Block(
        "predicted",
        "Predicted and measured",
        caption,
        svg.inline(figures.predicted(run.predicted), "predicted", _alt(run)),
        tables.accuracy(run),
    )


def _scored(run: Run) -> str:
    vague = int((~run.predicted["scored"].astype(bool)).sum())
    return f"{vague} of {len(run.predicted)} values are measured too vaguely to judge by." if vague else ""


def _alt(run: Run) -> str:
    told = [labels.foretold(metric) for metric in dict.fromkeys(run.predicted["metric"])]
    return f"Predicted against measured {', '.join(told)}, a point per cell; errors in the tables below."
