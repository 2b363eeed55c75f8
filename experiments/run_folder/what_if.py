"""what_if.json: what a calibrated model expects of settings and loads around those of a run. Nothing in it is
measured."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.run_folder.prediction import ModelUsed
from experiments.run_folder.stored_setting import StoredSetting
from experiments.spec.simulated_traces import SimulatedTraces


@dataclass(frozen=True, slots=True)
class ExpectedValue:
    """A measure over the simulated traces; none where no trace has it, as a p95 of nothing served."""

    mean: float | None
    low: float | None
    """end of the range that holds a further run with 90 %"""
    high: float | None


@dataclass(frozen=True, slots=True)
class WhatIfPoint:
    """One setting under one load."""

    setting: StoredSetting
    goodput_per_s: ExpectedValue
    attainment: ExpectedValue
    ttft_p95_s: ExpectedValue
    e2e_p95_s: ExpectedValue
    cells: tuple[str, ...]
    """those of the run that measured it"""


@dataclass(frozen=True, slots=True)
class WhatIfLoad:
    """One load, and every setting under it."""

    load: str
    """as `predict --load` takes it"""
    workload: str
    """as `predict --workload` takes it; prompts are as long as the engine counted them"""
    scenario: str
    """name of the arrival process"""
    rate_per_s: float
    points: tuple[WhatIfPoint, ...]
    """the same settings under every load, the smallest MAX_ACTIVE first"""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What a calibrated model expects of settings and loads around those of a run."""

    model: ModelUsed
    calibration: str
    """where the model was read from, as it was named"""
    held_out: dict[str, float]
    """errors of the model where it was not fitted, predicted over measured less one, by metric"""
    slo: str
    """the objective that attainment and goodput are judged by"""
    traces: SimulatedTraces
    loads: tuple[WhatIfLoad, ...]
    """by workload and scenario, the lowest rate first"""
    dropped: tuple[str, ...]
    """loads that there was no time for"""
    took_s: float
    """CPU time"""
