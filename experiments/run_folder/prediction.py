"""predicted.json: what the model said of a run, beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.run_folder.cell_summary import Workload
from experiments.run_folder.stored_setting import StoredSetting


@dataclass(frozen=True, slots=True)
class ModelGate:
    """Whether the model was good enough on a burst that it had not seen."""

    passed: bool | None
    """none where nobody tried it"""
    why: str


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """The calibration behind the predictions."""

    name: str
    source: str
    label: str
    draws: int
    """engines that it may be, each as likely: the width of the prediction intervals"""
    gate: ModelGate


@dataclass(frozen=True, slots=True)
class PredictedMetric:
    """One measure of one cell. Errors are predicted over measured, less one."""

    predicted: float | None
    low: float | None
    """of the 90 % prediction interval"""
    high: float | None
    measured: float | None
    measured_low: float | None
    measured_high: float | None
    error: float | None
    """on a trace that was not known"""
    model_error: float | None
    """on that very trace, at the speed that the engine had"""
    noise: float | None
    """what is left: the luck of the trace and of the machine"""
    inside: bool | None
    """whether the measured value lies in the interval"""
    scored: bool
    """whether it counts for the coverage"""


@dataclass(frozen=True, slots=True)
class PredictedCell:
    """One measured cell beside its prediction."""

    cell: str
    setting: StoredSetting
    workload: Workload
    why: str | None
    """why this cell was measured"""
    speed: float
    """measured over modelled duration of the engine's steps in this cell"""
    metrics: dict[str, PredictedMetric]
    """by the name that summary.json has for it"""


@dataclass(frozen=True, slots=True)
class EngineTime:
    """Engine seconds: used, and what the whole grid would have taken."""

    engine_s_used: float
    engine_s_grid: float
    ratio: float
    probe_s: float | None = None
    calibration_s: float | None = None
    verification_s: float | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many scored measures lay inside their prediction intervals."""

    level: float
    inside: int
    of: int


@dataclass(frozen=True, slots=True)
class PredictedSetting:
    """One setting of the matrix as the model sees it."""

    setting: StoredSetting
    goodput_per_s: tuple[float, ...]
    """by load, in the order of `loads`"""
    regret: float
    """the largest part of the best goodput that it loses at any load, 0-1"""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model said of a run, beside what was measured."""

    model: ModelUsed
    cells: tuple[PredictedCell, ...]
    cost: EngineTime
    coverage: Coverage
    fallback: str | None
    """why the model was refused and the matrix measured instead"""
    recalibrated: bool
    recalibration: str | None
    """why the model was moved by what was measured"""
    loads: tuple[str, ...]
    matrix: tuple[PredictedSetting, ...]
