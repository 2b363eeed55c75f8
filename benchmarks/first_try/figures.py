"""What the runs show, as numbers: answers that agree, cells that were flagged, time."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.first_try.conditions import Condition
from benchmarks.first_try.lines import CellLine, RunLine, of

OTHERS_BELOW = 0.05
"""Share of the engine's cores, and of the harness's, that others may use in a run that counts: as much as a
sweep's own witness lets pass."""
HIT_FROM = 0.2
"""Share of its window in which the planted loop was busy, from which on a cell counts as hit."""
HARMLESS_WITHIN = 0.05
"""Attainment by which a cell may lie outside of what the quiet runs saw of the same setting and load."""


@dataclass(frozen=True, slots=True)
class Share:
    """`k` of `n`."""

    k: int
    n: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one condition.

    Attributes:
        agree: runs with an answer that the (other) quiet runs have too, or cannot tell from theirs.
        hit: cells that were hit, and how many of these were flagged or harmless.
        flagged: of the cells that were not hit, those that were flagged.
        time_ratio: median and largest wall time over the median of the quiet runs; None without one.
    """

    runs: int
    agree: Share
    hit: Share
    flagged: Share
    time_ratio: tuple[float, float] | None


def was_left_alone(run: RunLine) -> bool:
    """Whether nobody but the run and what was planted used its cores, by the runner's own witness; not known
    is no."""
    ratios = (run.foreign_engine_ratio, run.foreign_harness_ratio)
    return all(ratio is not None and ratio < OTHERS_BELOW for ratio in ratios)


def counted(condition: Condition, runs: Sequence[RunLine]) -> list[RunLine]:
    """The runs of a condition that count: those that were what they are called."""
    return [run for run in of(condition, runs) if was_left_alone(run)]


def accepted(quiet: Sequence[RunLine]) -> frozenset[str]:
    """The answer of the quiet runs: the setting that most of them recommend, and those that at least half of
    them recommend or cannot tell from what they recommend."""
    answers = Counter(run.recommended for run in quiet if run.recommended is not None)
    if not answers:
        return frozenset()
    near = Counter(name for run in quiet for name in {run.recommended, *run.inseparable} if name is not None)
    return frozenset(
        {answers.most_common(1)[0][0], *(name for name, n in near.items() if 2 * n >= len(quiet))}
    )


def agrees(run: RunLine, quiet: Sequence[RunLine]) -> bool:
    """Whether a run's answer is that of the quiet runs; one of these is judged by the others."""
    return run.recommended in accepted([other for other in quiet if other is not run])


def is_hit(cell: CellLine) -> bool:
    """Whether the planted loop had a part of the window that matters."""
    return cell.planted_ratio >= HIT_FROM


def is_harmless(cell: CellLine, quiet: Sequence[RunLine]) -> bool:
    """Whether the cell shows what the quiet runs did; one that they never measured is not known to be."""
    seen = [
        other.attainment
        for run in quiet
        for other in run.cells
        if (other.setting, other.load) == (cell.setting, cell.load) and other.attainment is not None
    ]
    if not seen or cell.attainment is None:
        return False
    return min(seen) - HARMLESS_WITHIN <= cell.attainment <= max(seen) + HARMLESS_WITHIN


def figures(condition: Condition, runs: Sequence[RunLine]) -> Figures:
    """Those of one condition, beside the quiet runs among `runs`."""
    quiet = counted(Condition.QUIET, runs)
    own = counted(condition, runs)
    hit = [cell for run in own for cell in run.cells if is_hit(cell)]
    others = [cell for run in own for cell in run.cells if not is_hit(cell)]
    return Figures(
        runs=len(own),
        agree=Share(sum(agrees(run, quiet) for run in own), len(own)),
        hit=Share(sum(cell.is_flagged or is_harmless(cell, quiet) for cell in hit), len(hit)),
        flagged=Share(sum(cell.is_flagged for cell in others), len(others)),
        time_ratio=_times(own, quiet),
    )


def _times(own: Sequence[RunLine], quiet: Sequence[RunLine]) -> tuple[float, float] | None:
    if not own or not quiet:
        return None
    usual_s = statistics.median(run.wall_s for run in quiet)
    return statistics.median(run.wall_s for run in own) / usual_s, max(run.wall_s for run in own) / usual_s
