"""What was learned from a recording, as it is kept (`learned.json`): declared types, no text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pydantic import JsonValue

from experiments.calibration.gate import CalibrationGate, Deviation
from experiments.learning.advice import AdviceVerdict
from experiments.learning.holds import Held

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ToldRange:
    """An expected value and the 90 % range of a further period; None: not defined."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, value: float, low: float, high: float) -> ToldRange:
        """With None for what is not finite."""
        return cls(*(x if math.isfinite(x) else None for x in (value, low, high)))


@dataclass(frozen=True, slots=True)
class ToldEffect:
    """What a setting is expected to do. expected: by measure. within_seen: whether the recording holds
    batches about as large as it needs."""

    name: str
    setting: Mapping[str, JsonValue]
    within_seen: bool
    expected: Mapping[str, ToldRange]


@dataclass(frozen=True, slots=True)
class ToldAdvice:
    """The choice. gain: of goodput over the present setting's, a share. regret_high: of the best goodput that
    nine of ten engines allow at most to be missed."""

    verdict: AdviceVerdict
    chosen: str
    why: str
    gain: ToldRange
    regret_high: float


@dataclass(frozen=True, slots=True)
class ToldLoad:
    """Everything at one multiple of the recorded traffic, the best setting first."""

    scale: float
    advice: ToldAdvice
    effects: tuple[ToldEffect, ...]


@dataclass(frozen=True, slots=True)
class ToldLasting:
    """Multiples of the traffic up to which a setting meets the objective (0: not even now; None: beyond what
    was played), and the dates at which they are reached (None likewise)."""

    name: str
    scale: float | None
    scale_low: float | None
    scale_high: float | None
    until: str | None
    until_low: str | None
    until_high: str | None


@dataclass(frozen=True, slots=True)
class ToldCheck:
    """What measuring it would take: the settings, seconds of engine time, the command."""

    settings: tuple[str, ...]
    engine_s: float
    command: str


@dataclass(frozen=True, slots=True)
class ToldLearning:
    """The whole. played_again: the recording under today's limits, as the model has it; growth: as typed."""

    schema_version: int
    recording: str
    from_utc: str
    until_utc: str
    slo: str
    present: str
    held: Held
    gate: CalibrationGate
    played_again: Mapping[str, Deviation]
    loads: tuple[ToldLoad, ...]
    growth: str | None
    lasting: tuple[ToldLasting, ...]
    check: ToldCheck
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """As it is written."""
        return asdict(self)
