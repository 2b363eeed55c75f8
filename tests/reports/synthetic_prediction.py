"""Write a predicted.json beside the cells of a synthetic run, as `experiments.tune` leaves it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments.run_folder import codec
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.measured_cell import finished_cells
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
from reports.labels import PREDICTED

MODEL = ModelUsed(
    name="synthetic",
    source="eight cells of another run",
    label="EMULATOR (synthetic numbers for the report's own tests)",
    draws=50,
    gate=ModelGate(passed=True, why="held-out p95 within 8 %"),
)


def write_prediction(root: Path) -> Prediction:
    """Write predicted.json for every cell of a run, and return it."""
    prediction = _prediction(root)
    codec.write(root / "predicted.json", prediction)
    return prediction


def write_refusal(root: Path, why: str, gate: ModelGate) -> Prediction:
    """Write that of a run whose model was refused."""
    prediction = replace(
        _prediction(root), model=replace(MODEL, gate=gate), cells=(), matrix=(), loads=(), fallback=why
    )
    codec.write(root / "predicted.json", prediction)
    return prediction


def _prediction(root: Path) -> Prediction:
    rng = np.random.default_rng(5)
    measured = finished_cells(root)
    cells = tuple(
        PredictedCell(
            cell=cell.id,
            setting=cell.setting,
            workload=cell.summary.workload,
            why=None,
            speed=1.0,
            metrics={
                name: _metric(cell.summary, name, float(rng.normal(0.02, 0.04)), float(rng.normal(0, 0.05)))
                for name in PREDICTED
            },
        )
        for cell in measured
    )
    scored = [one for cell in cells for one in cell.metrics.values() if one.scored]
    settings = dict.fromkeys(cell.setting for cell in measured)
    return Prediction(
        model=MODEL,
        cells=cells,
        cost=EngineTime(engine_s_used=92.0, engine_s_grid=840.0, ratio=0.11),
        coverage=Coverage(level=0.9, inside=sum(one.inside is True for one in scored), of=len(scored)),
        fallback=None,
        recalibrated=False,
        recalibration=None,
        loads=("sustained@0.7x", "sustained@1.25x"),
        matrix=tuple(
            PredictedSetting(setting, (9.0 - at, 13.0 - at), 0.07 * at) for at, setting in enumerate(settings)
        ),
    )


def _metric(summary: CellSummary, name: str, model_error: float, noise: float) -> PredictedMetric:
    """One predicted measure: off by the model's error and by noise, both signed shares."""
    value, low, high = _measured(summary, name)
    if not value:
        return PredictedMetric(0.1, 0.05, 0.2, value, low, high, None, None, None, None, scored=False)
    error = (1 + model_error) * (1 + noise) - 1
    predicted = value * (1 + error)
    return PredictedMetric(
        predicted=predicted,
        low=predicted * 0.88,
        high=predicted * 1.12,
        measured=value,
        measured_low=low,
        measured_high=high,
        error=error,
        model_error=model_error,
        noise=noise,
        inside=predicted * 0.88 <= value <= predicted * 1.12,
        scored=name in ("goodput_per_s", "attainment") or low is not None,
    )


def _measured(summary: CellSummary, name: str) -> tuple[float | None, float | None, float | None]:
    """A measure of a cell with its interval, by the name that predicted.json has for it."""
    if name == "goodput_per_s":
        return summary.rates.goodput_per_s if summary.rates else None, None, None
    if name == "attainment":
        return summary.attainment, None, None
    latency = getattr(summary.latency, name.removesuffix("_p95"))
    return latency.p95.value, latency.p95.low, latency.p95.high
