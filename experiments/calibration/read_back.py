"""What is read back of a calibration.json: the draws of its fit, and the verdict of its gate.

Apart from what writes it: a prediction needs no engine, and so none of what speaks to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from experiments.calibration.fit import NAMES
from experiments.calibration.gate import CalibrationGate
from experiments.errors import UserError
from experiments.files import read_json

DRAW_NAMES = (*NAMES, "knee_tokens")


@dataclass(frozen=True, slots=True)
class Draws:
    """What is read back of a fit: its bootstrap draws, each in the order of `DRAW_NAMES`, and the standard
    deviation of the logarithm of the engine's speed."""

    rows: tuple[tuple[float, ...], ...]
    speed_sd: float

    def by_name(self) -> list[Mapping[str, float]]:
        """Each draw with the names of its values."""
        return [dict(zip(DRAW_NAMES, row, strict=True)) for row in self.rows]


def read_draws(path: Path) -> Draws:
    """The draws in a calibration.json.

    Raises:
        UserError: an earlier version wrote it.
    """
    stored = read_json(path)["fit"]
    if "all_draws" not in stored:
        raise UserError(f"{path} was made by an earlier version; calibrate again")
    rows = tuple(tuple(float(value) for value in row) for row in stored["all_draws"])
    return Draws(rows, float(stored["speed_sd"]))


def read_gate(path: Path) -> CalibrationGate:
    """The verdict in a calibration.json.

    Raises:
        UserError: it holds none.
    """
    try:
        gate: CalibrationGate = TypeAdapter(CalibrationGate).validate_python(read_json(path)["gate"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no calibration of this version: {error!r}") from None
    return gate
