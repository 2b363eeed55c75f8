"""Whether a calibration may be used: how far it was off where it was not fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

ALLOWED = {"seconds_for_all_tokens": 0.05, "ttft_s_p95": 0.15, "e2e_s_p95": 0.15}
"""Largest error of each metric, relative."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far the prediction of a metric was off.

    Attributes:
        error: predicted/measured − 1; of several cells their median.
        measured, predicted: of a burst, seconds.
        worst, n: of several cells, the largest error and their number.
    """

    error: float
    measured: float | None = None
    predicted: float | None = None
    worst: float | None = None
    n: int | None = None

    @classmethod
    def between(cls, measured: float, predicted: float) -> Deviation:
        """Of one measured value."""
        return cls(predicted / measured - 1, measured, predicted)

    def to_json(self) -> dict[str, float | int]:
        """What is known of it."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class CalibrationGate:
    """The verdict.

    Attributes:
        passed, why: whether the model may be used, and the sentence for it.
        n: requests of the burst, or cells.
        speed_factor: measured over modelled seconds of the steps there: how much slower the machine was.
        held_out: by metric, with the model slowed down by `speed_factor`; empty where there is none.
        as_calibrated: by metric, without that; empty where it was not looked at.
    """

    passed: bool
    why: str
    n: int
    speed_factor: float
    held_out: Mapping[str, Deviation] = field(default_factory=dict)
    as_calibrated: Mapping[str, Deviation] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The `gate` part of calibration.json."""
        stored = {"passed": self.passed, "why": self.why, "n": self.n, "speed_factor": self.speed_factor}
        tables = {"held_out": self.held_out, "as_calibrated": self.as_calibrated}
        return stored | {
            name: {metric: deviation.to_json() for metric, deviation in table.items()}
            for name, table in tables.items()
            if table
        }
