"""A round: what some minutes showed of an engine's speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Round:
    """Answers of one stretch of time. Of each: the mean number of others in flight while it was decoded, and
    what a token of it took, seconds (a user's: its TPOT); as long as one another, none where nothing could be
    asked.
    """

    at_unix_s: float
    in_flight: Sequence[float]
    tpot_s: Sequence[float]
