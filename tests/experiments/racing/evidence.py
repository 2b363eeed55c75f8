"""What a race's choice loses, over engines drawn by seed: one line of JSON for each, appended to a file.

    python -m tests.experiments.racing.evidence docs/evidence/race.jsonl --seeds 2000:2300

A line that is there is not made again, so the evidence may grow over many days. `summary` reads the file.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from experiments.design.cells import Cell
from experiments.racing.race import race
from experiments.racing.standing import WITHIN
from experiments.run_folder.race_story import RaceEnd
from experiments.tuning.outlook import regret_of
from tests.experiments.racing import virtual_race
from tests.experiments.racing.virtual_race import Floats, VirtualTrack
from tests.experiments.tuning.virtual_tuning import Scenario
from tests.experiments.twin.disturbed_engine import QUIET, planted

FOR_THE_RACE = 0.8
"""Of the time of the grid on one trace; the rest confirms the winner and finds its largest rate."""
DRIFT = 0.15
DISTURBED = (0.10, 0.35)


class Condition(StrEnum):
    """What the machine does while it is measured."""

    QUIET = "quiet"
    DISTURBED = "disturbed"
    """others slow the engine down for 10 to 35 % of the time"""
    DRIFT = "drift"
    """the engine gets slower by 15 % over the run"""


@dataclass(frozen=True, slots=True)
class Line:
    """Of one engine under one condition. Regrets are of the choice in truth, 0-1; `grid`: of the earlier
    design, one block of the whole matrix in the same time. `slower`: what the choice keeps of the best
    score on an engine 5 % slower. `spent`: part of the race's time."""

    condition: Condition
    seed: int
    commit: str
    regret: float
    claimed: bool
    good: float
    spent: float
    stretches: int
    slower: float
    grid: float
    grid_slower: float


@dataclass(frozen=True, slots=True)
class Truth:
    """Scores (settings,) of an engine, and of the same 5 % slower."""

    score: Floats
    slower: Floats


def truth_of(seed: int, speed: float = 1.0) -> Truth:
    """Of the engine of this seed, or of one so many times slower."""
    scenario = virtual_race.draw(seed)
    traces = 4 if speed == 1.0 else 2
    score, slower = (
        1 - regret_of(virtual_race.truth(scenario, traces, speed=speed * factor)) for factor in (1.0, 1.05)
    )
    return Truth(score, slower)


def play(seed: int, condition: Condition, truth: Truth, commit: str) -> Line:
    """Race, measure the grid as well, look both choices up in the truth: that of the engine as it was in the
    middle of its own time where it drifts."""
    scenario = virtual_race.draw(seed)
    length_s = virtual_race.grid_s(scenario)
    track = _track(scenario, condition, length_s, None)
    raced = race(virtual_race.course(scenario, FOR_THE_RACE * length_s), track)
    grid = _track(scenario, condition, length_s, virtual_race.GRID_S)
    by_grid = _grid_choice(scenario, grid)
    of_race, of_grid = (
        truth_of(seed, 1 + DRIFT * one.spent_s / length_s / 2) if condition is Condition.DRIFT else truth
        for one in (track, grid)
    )
    chosen = raced.winner if raced.winner is not None else 0
    return Line(
        condition,
        seed,
        commit,
        _lost(of_race.score, chosen),
        raced.ended is RaceEnd.SEPARATED,
        round(raced.standing.good, 4),
        round(track.spent_s / (FOR_THE_RACE * length_s), 3),
        len(track.done),
        round(1 - _lost(of_race.slower, chosen), 4),
        _lost(of_grid.score, by_grid),
        round(1 - _lost(of_grid.slower, by_grid), 4),
    )


def _track(
    scenario: Scenario, condition: Condition, length_s: float, measure_s: float | None
) -> VirtualTrack:
    share = float(np.random.default_rng([scenario.seed, 41]).uniform(*DISTURBED))
    extra = planted(scenario.seed, 1.5 * length_s, share) if condition is Condition.DISTURBED else QUIET
    drift = QUIET.drifting(length_s, DRIFT) if condition is Condition.DRIFT else QUIET
    return VirtualTrack(scenario, extra, drift, measure_s)


def _grid_choice(scenario: Scenario, track: VirtualTrack) -> int:
    """The setting with the least measured regret on one block, as it came: nothing adjusted or left out."""
    cells = [Cell(setting, load, 0) for setting in scenario.settings for load in scenario.loads]
    random.Random(scenario.seed).shuffle(cells)
    track.measure(cells)
    plain = {cell: run.window.trace(scenario.slo).goodput_per_s for cell, run in track.done.items()}
    goodput = np.array([[plain[Cell(s, load, 0)] for load in scenario.loads] for s in scenario.settings])
    return int(np.argmin(regret_of(goodput)))


def _lost(score: Floats, chosen: int) -> float:
    return round(float(1 - score[chosen] / score.max()), 4)


def read(path: Path) -> list[Line]:
    """The lines of the file; none where there is no file."""
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [Line(**{**row, "condition": Condition(row["condition"])}) for row in rows]


def summary(lines: Sequence[Line]) -> str:
    """A row for each condition."""
    said = []
    for condition in Condition:
        mine = [line for line in lines if line.condition is condition]
        if not mine:
            continue
        claimed = [line for line in mine if line.claimed]
        parts = [
            f"regret ≤ 3 %: race {_share([x.regret <= WITHIN for x in mine])}",
            f"grid {_share([x.grid <= WITHIN for x in mine])}",
            f"claimed {len(claimed)}, of these true {_share([x.regret <= WITHIN for x in claimed])}",
            f"≥ 92 % of the best on an engine 5 % slower: race {_share([x.slower >= 0.92 for x in mine])}",
            f"grid {_share([x.grid_slower >= 0.92 for x in mine])}",
            f"time used: median {np.median([x.spent for x in mine]):.0%}",
        ]
        said.append(f"{condition}: n = {len(mine)}; " + "; ".join(parts))
    return "\n".join(said)


def ceiling(seeds: Sequence[int]) -> str:
    """Of the engines of these seeds: on how many a choice within 3 % of the best, made by one who knows the
    truth, keeps 92 % of the best on the same engine 5 % slower."""
    truths = [truth_of(seed) for seed in seeds]
    kept = [
        one.slower[one.score >= (1 - WITHIN) * one.score.max()].max() / one.slower.max() for one in truths
    ]
    return f"with the truth known: {_share([share >= 0.92 for share in kept])} of {len(kept)}"


def _share(hits: Sequence[bool]) -> str:
    from loadtests.recording.share import wilson

    if not hits:
        return "none"
    low, high = wilson(sum(hits), len(hits))
    return f"{np.mean(hits):.1%} [{low:.1%}, {high:.1%}]"


def main() -> None:
    """Make the lines that are missing; print the summary."""
    parser = argparse.ArgumentParser(description="Regret of a race's choice over drawn engines.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", default="2000:2300", help="first:end (default 2000:2300)")
    parser.add_argument("--condition", choices=list(Condition), action="append")
    parser.add_argument("--ceiling", action="store_true", help="only say what the best choice would keep")
    args = parser.parse_args()
    begin, end = map(int, args.seeds.split(":"))
    if args.ceiling:
        print(ceiling(range(begin, end)))
        return
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    there = {(line.condition, line.seed) for line in read(args.file)}
    for seed in range(begin, end):
        wanted = map(Condition, args.condition or list(Condition))
        missing = [condition for condition in wanted if (condition, seed) not in there]
        truth = truth_of(seed) if missing else None
        for condition in missing:
            assert truth is not None
            with args.file.open("a") as file:
                file.write(json.dumps(asdict(play(seed, condition, truth, commit))) + "\n")
    print(summary(read(args.file)))


if __name__ == "__main__":
    main()
