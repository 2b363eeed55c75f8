"""On how many arrivals a prediction is made, and on which."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SimulatedTraces:
    """What every prediction is played on; each trace has an engine of its own that the calibration allows."""

    count: int = 40
    """of 19 or more, the range holds 90 % of further runs; more make it steadier"""
    measure_s: float = 120.0
    warm_up_s: float = 20.0
    """before the measured window, not counted"""
    seed: int = 1
    """of the first trace; each further one has the next"""
