"""What a setting may be: its range, and the error that names it; for checks, help and forms alike."""

from __future__ import annotations

import math
from dataclasses import dataclass


class WrongValueError(ValueError):
    """The user's setting `name` is not allowed; `reason` says what is. Its text is the whole sentence."""

    def __init__(self, name: str, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name
        self.reason = reason


def wrong(name: str, value: object, allowed: str) -> WrongValueError:
    """The error for a value, with what is allowed in words, e.g. ">= 1"."""
    return WrongValueError(name, f"must be {allowed}", f"{name} = {value}: must be {allowed}")


@dataclass(frozen=True, slots=True)
class Bound:
    """A range of numbers. above: `least` itself is not allowed. unit: of the number, in the plural."""

    least: float = 0.0
    most: float = math.inf
    above: bool = False
    unit: str = ""

    @property
    def words(self) -> str:
        """The range for people: "> 0 s", ">= 1", "between 0 and 1"."""
        if self.most < math.inf:
            return f"between {self.least:g} and {self.most:g}"
        unit = self.unit[:-1] if self.unit == "tokens" and self.least == 1 else self.unit
        return f"{'>' if self.above else '>='} {self.least:g} {unit}".rstrip()

    def check(self, name: str, value: float) -> None:
        """Raise WrongValueError unless the value is finite and in the range."""
        inside = value > self.least if self.above else value >= self.least
        if not (inside and value <= self.most and math.isfinite(value)):
            raise wrong(name, value, self.words)
