"""How wrong the predictions were: signed errors, what of them is the model's and what is noise, and whether
the intervals kept their promise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.tuning.outlook import Outlook
from experiments.tuning.task import MeasuredRun
from experiments.twin.predicted import Expected

SHOWN = ("ttft_p95_s", "e2e_p95_s", "tpot_p95_s", "goodput_per_s", "attainment")
TOO_WIDE = 0.25
"""A p95 whose own 95 % interval is wider than ± this part of it is too uncertain to judge a prediction by."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure of one run: `error` = predicted/measured − 1 on a trace that was not known, `model_error`
    the same for the twin on that very trace at that run's speed, `noise` what is left: the luck of the
    trace and of the machine. None where it is not defined. `scored`: whether it counts for the coverage."""

    predicted: Expected
    measured: float | None
    measured_interval: tuple[float, float] | None
    error: float | None
    model_error: float | None
    noise: float | None
    inside: bool | None
    scored: bool


def compare(outlook: Outlook, seen: MeasuredRun, same: Mapping[str, float]) -> dict[str, Compared]:
    """Every measure of `SHOWN` of one run."""
    return {name: _compared(outlook, seen, same, name) for name in SHOWN}


def _compared(outlook: Outlook, seen: MeasuredRun, same: Mapping[str, float], name: str) -> Compared:
    told = outlook.interval(seen.cell.setting, seen.cell.load, name)
    real = seen.values[name]
    interval = seen.intervals.get(name)
    if real != real or told.mean != told.mean:  # nan
        return Compared(told, None if real != real else real, interval, None, None, None, None, False)
    error = told.mean / real - 1 if real > 0 else None
    model_error = same[name] / real - 1 if real > 0 and same[name] == same[name] else None
    noise = None
    if error is not None and model_error is not None and model_error > -1:
        noise = (1 + error) / (1 + model_error) - 1
    inside = bool(told.low <= real <= told.high)
    return Compared(told, real, interval, error, model_error, noise, inside, is_scored(seen, name))


def is_scored(seen: MeasuredRun, name: str) -> bool:
    """Whether the measurement is certain enough to judge a prediction by; a latency needs an interval of
    its own.
    """
    if name in ("goodput_per_s", "attainment"):
        return True
    interval = seen.intervals.get(name)
    return interval is not None and (interval[1] - interval[0]) / 2 <= TOO_WIDE * seen.values[name]


def coverage(rows: Sequence[Mapping[str, Compared]]) -> tuple[int, int]:
    """How many of the scored measures lay inside their 90 % intervals, and how many there were."""
    scored = [c for row in rows for c in row.values() if c.scored and c.inside is not None]
    return sum(bool(c.inside) for c in scored), len(scored)


def outside(outlook: Outlook, seen: Sequence[MeasuredRun]) -> list[str]:
    """Cells that left their intervals: a scored measure on the same side in more than half of the runs, two
    at least. (One run in ten leaves a 90 % interval by itself.)"""
    runs: dict[tuple[Setting, Load], list[MeasuredRun]] = defaultdict(list)
    for one in seen:
        runs[one.cell.setting, one.cell.load].append(one)
    return [
        f"{setting.name} at {load}"
        for (setting, load), these in runs.items()
        if any(_left(outlook, these, name) for name in SHOWN)
    ]


def _left(outlook: Outlook, runs: Sequence[MeasuredRun], name: str) -> bool:
    told = outlook.interval(runs[0].cell.setting, runs[0].cell.load, name)
    values = [run.values[name] for run in runs if is_scored(run, name)]
    least = max(2, len(runs) // 2 + 1)
    below, above = (sum(v < told.low for v in values), sum(v > told.high for v in values))
    return max(below, above) >= least
