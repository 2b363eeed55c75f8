"""The speed index of a run's cells, and which of them were disturbed.

The index of a second is the time its steps took over what they would take at the run's own undisturbed speed
(`curve`): above 1 the engine was slower. It comes from the answers alone, so it also sees what no counter
shows: a neighbour on the GPU, a hypervisor.

A cell is disturbed when many of its seconds, or all of it together, were slower than the cells around it:
slow drift over the whole run is in the level that they are held against, and is told by itself. Both
thresholds lie so many standard deviations from what undisturbed seconds and cells show in this very run that
a quiet cell passes one about once in a thousand; a departure that is certain but small is no disturbance
either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from experiments.speed import curve
from experiments.speed.cell_steps import CellSteps
from experiments.speed.curve import Curve
from experiments.speed.steps import Floats

LEAST_SECONDS = 6
"""Seconds of a cell that must say something; with fewer it has no verdict."""
LEAST_RUN_SECONDS = 40
"""The same of all cells of an engine together: a curve needs them."""
SLOW = 1.12
"""A second is slow from this factor on, or more where undisturbed ones scatter more."""
SLOW_SHARE = 0.10
"""Of the seconds of a cell that may be slow."""
LEAST_SLOW = 1.05
"""Times slower, over its whole window, that a cell may be at least."""
CERTAIN = 3.3
"""Standard deviations; a normal variable exceeds it once in two thousand times."""
CELL_SD = (0.006, 0.03)
"""Standard deviation of quiet cells, relative: not believed to be smaller, nor larger."""
LEVELS_SD = 1.959964


class SpeedVerdict(StrEnum):
    """What the index says of a cell."""

    STEADY = "steady"
    """as fast as the run around it"""
    DISTURBED = "disturbed"
    """slower than the run around it, by more than chance"""
    UNKNOWN = "unknown"
    """too few steps could be told"""


@dataclass(frozen=True, slots=True)
class Speed:
    """How many times slower than the run's own undisturbed speed, with its 95 % interval."""

    index: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SpeedSeconds:
    """The index second by second; columns of equal length."""

    t_s: tuple[float, ...]
    """middle of the second, from the begin of the measured window"""
    index: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CellSpeed:
    """How fast the engine was in one cell."""

    id: str
    verdict: SpeedVerdict
    over_window: Speed | None
    """over the measured window; none without a verdict"""
    local: float | None
    """the index of the run around it: what slow drift had made of it by then"""
    slow_share: float | None
    """of the seconds that say something, those slower than the run around them by the factor `SLOW`"""
    slow_by: float | None
    """how many times slower than the run around them these were, on average; none without any"""
    seconds: SpeedSeconds

    @property
    def index(self) -> float | None:
        """Over the measured window: above 1, slower; none without a verdict."""
        return self.over_window.index if self.over_window is not None else None

    @property
    def disturbed(self) -> bool:
        return self.verdict is SpeedVerdict.DISTURBED

    @property
    def departs(self) -> float | None:
        """How many times slower than the run around it, over the whole window."""
        if self.over_window is None or self.local is None:
            return None
        return self.over_window.index / self.local

    @property
    def size(self) -> str:
        """What was disturbed, as a part of a sentence; empty for another verdict."""
        if not self.disturbed or self.departs is None:
            return ""
        whole = f"the engine was {self.departs - 1:.0%} slower than in the run around this cell"
        if not self.slow_share or self.slow_by is None:
            return whole
        return f"{whole}, {self.slow_by:.2f} times slower in {self.slow_share:.0%} of its time"


@dataclass(frozen=True, slots=True)
class RunSpeed:
    """The cells of a run in the order in which they were given, and how its level changed."""

    cells: tuple[CellSpeed, ...]
    drift: float
    """the greatest change of the level between two moments of the run, relative; 0.1: 10 % slower then"""

    def __getitem__(self, cell_id: str) -> CellSpeed:
        """Raises KeyError: no cell of that id."""
        for cell in self.cells:
            if cell.id == cell_id:
                return cell
        raise KeyError(cell_id)

    @property
    def disturbed(self) -> tuple[CellSpeed, ...]:
        return tuple(cell for cell in self.cells if cell.disturbed)

    @property
    def slow_share(self) -> float:
        """Of all seconds that say something, those slower than the run around them; a disturbed cell without
        such seconds counts as slow throughout.
        """
        weights = [len(cell.seconds.t_s) for cell in self.cells]
        shares = [(cell.slow_share or float(cell.disturbed)) for cell in self.cells]
        return float(np.average(shares, weights=weights)) if sum(weights) else 0.0


def judge(cells: Sequence[CellSteps]) -> RunSpeed:
    """Judge all cells of a run together; those of one engine are held against each other."""
    found: dict[int, CellSpeed] = {}
    drifts = [0.0]
    for engine in {cell.engine: None for cell in cells}:
        places = [k for k, cell in enumerate(cells) if cell.engine == engine]
        of_engine = _of_engine([cells[k] for k in places])
        found.update(zip(places, of_engine.cells, strict=True))
        drifts.append(of_engine.drift)
    return RunSpeed(tuple(found[k] for k in range(len(cells))), max(drifts))


def _of_engine(cells: Sequence[CellSteps]) -> RunSpeed:
    counts = np.array([len(cell.seconds) for cell in cells])
    if counts.sum() < LEAST_RUN_SECONDS:
        return RunSpeed(tuple(_unknown(cell) for cell in cells), 0.0)
    seconds = np.concatenate([cell.seconds for cell in cells])
    steps = np.concatenate([cell.steps for cell in cells])
    work = np.concatenate([cell.work for cell in cells])
    fitted = curve.fit(
        work,
        seconds,
        steps,
        np.concatenate([cell.began_s + cell.at_s for cell in cells]),
    )
    ends = np.cumsum(counts).tolist()
    parts = [slice(end - count, end) for end, count in zip(ends, counts.tolist(), strict=True)]
    unlike = curve.unlike(work, fitted, parts)
    spread = _spread(np.log(seconds / (fitted.expected_s * fitted.level)), parts, unlike)
    judged = tuple(
        _unknown(cell)
        if part.stop - part.start < LEAST_SECONDS
        else _cell(cell, fitted, part, float(spread[k]), float(unlike[k]))
        for k, (cell, part) in enumerate(zip(cells, parts, strict=True))
    )
    return RunSpeed(judged, float(fitted.level.max() / fitted.level.min()) - 1)


def _unknown(cell: CellSteps) -> CellSpeed:
    return CellSpeed(cell.id, SpeedVerdict.UNKNOWN, None, None, None, None, SpeedSeconds((), (), (), ()))


def _spread(off: Floats, parts: Sequence[slice], unlike: Floats) -> Floats:
    """How far each cell may lie from the run around it without a reason, standard deviation of the logarithm:
    what steady cells of this run differ, and how little the others know of its compositions. (parts,)

    Args:
        off: logarithm of each second over what the run around it needs.
        parts: the seconds of each cell.
        unlike: see `curve.unlike`.
    """
    own = np.array([float(np.median(off[part])) for part in parts if part.stop > part.start])
    near = own[own < np.log(SLOW)]
    usual = 1.4826 * float(np.median(np.abs(near - np.median(near)))) if len(near) > 2 else CELL_SD[1]
    spread: Floats = np.hypot(np.clip(usual, *CELL_SD), unlike)
    return spread


def _cell(cell: CellSteps, fitted: Curve, part: slice, spread: float, unlike: float) -> CellSpeed:
    scatter, expected_s = fitted.scatter[part], fitted.expected_s[part]
    level, index = fitted.level[part], cell.seconds / expected_s
    slower = index / level
    # A cell whose compositions nobody else had is held against its own quicker seconds as well.
    own = float(np.clip(np.quantile(np.log(slower), curve.QUANTILE), -CERTAIN * unlike, CERTAIN * unlike))
    slow = np.log(slower) - own > np.maximum(np.log(SLOW), CERTAIN * scatter)
    share = float(slow.mean())
    whole = float(cell.seconds.sum() / expected_s.sum())
    local = float((expected_s * level).sum() / expected_s.sum())
    departs = whole / local
    certain = np.log(departs) > max(np.log(LEAST_SLOW), CERTAIN * spread)
    disturbed = certain or (share >= SLOW_SHARE and int(slow.sum()) > 1)
    own_sd = float(np.sqrt(np.mean(scatter**2) / len(scatter)))
    half = LEVELS_SD * float(np.hypot(unlike, own_sd))
    halves = LEVELS_SD * scatter
    return CellSpeed(
        id=cell.id,
        verdict=SpeedVerdict.DISTURBED if disturbed else SpeedVerdict.STEADY,
        over_window=Speed(whole, whole * float(np.exp(-half)), whole * float(np.exp(half))),
        local=local,
        slow_share=share,
        slow_by=float(np.mean(slower[slow])) if share else None,
        seconds=SpeedSeconds(
            _column(cell.at_s),
            _column(index),
            _column(index * np.exp(-halves)),
            _column(index * np.exp(halves)),
        ),
    )


def _column(values: Floats) -> tuple[float, ...]:
    """For a file: more digits say nothing."""
    return tuple(values.round(4).tolist())
