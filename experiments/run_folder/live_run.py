"""live.json: what a live comparison was asked and what it found; its two sides are run folders beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from experiments.errors import UserError
from experiments.run_folder import codec
from experiments.run_folder.block_metric import BlockMetric

NAME = "live.json"


class LiveWay(StrEnum):
    """How two sides take turns."""

    IN_TURN = "in-turn"
    """each block starts its engine anew"""
    AT_ONCE = "at-once"
    """both engines are up all the time, each behind a gateway of its own"""
    ONE_ENGINE = "one-engine"
    """the sides differ in the gateway's limits alone, which are switched"""


class LiveOutcome(StrEnum):
    """What a live comparison says of B, by its metric."""

    BETTER = "better"
    EQUAL = "equal"
    WORSE = "worse"
    CANT_TELL = "cant_tell"


@dataclass(frozen=True, slots=True)
class LiveResult:
    """The verdict at the last look. Parts of A, not per cent; none where there is no interval yet."""

    outcome: LiveOutcome
    blocks: int
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    further_blocks: int
    """that would find a change of 5 % with 80 % power; 0 when the verdict is made"""
    said: str


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What was asked, and what came of it."""

    created_utc: str
    command: tuple[str, ...]
    """the command line, without secrets"""
    a: str
    """the baseline, as it was typed"""
    b: str
    way: LiveWay
    metric: BlockMetric
    """the one that the verdict is made of"""
    delta: float
    """changes within ± this part do not matter"""
    seed: int
    planned: int
    """blocks at most, as the first command said: the error is spent by this plan"""
    looks: tuple[int, ...] = field(default=())
    """numbers of blocks at which a verdict was asked for: each spent a part of the error"""
    result: LiveResult | None = None


def read_live(folder: Path) -> LiveRun:
    """The document of the comparison in `folder`.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    try:
        return codec.read(LiveRun, folder / NAME)
    except FileNotFoundError:
        raise UserError(f"{folder} holds no live comparison ({NAME})") from None
    except codec.NotReadableError as error:
        raise UserError(str(error)) from None
