"""How soon a watch finds a slow-down, and how often it cries wolf, over drawn engines: a line of JSON each.

    python -m tests.experiments.drift.evidence docs/evidence/watch.jsonl --seeds 4000:4020

A line that is there is not made again, so the evidence may grow in pieces.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from experiments.drift.baseline import Source, learn
from experiments.drift.book import Test
from experiments.stats.cusum import Moved
from tests.experiments.drift.virtual_watch import EVERY_S, VirtualService, draw, rounds

ROUNDS_A_DAY = round(86_400 / EVERY_S)
LEARN_DAYS = 3
QUIET_DAYS = 30
DRIFTS = 12
"""Of one engine, each at another time of the day."""
SLOWER = 1.10
LONGEST = 48
"""Rounds after which one stops waiting for a find."""


@dataclass(frozen=True, slots=True)
class Line:
    """Of one engine. sd: of a round, as its baseline of three days found it; expected_min: what the watch
    says a find takes on average; false_alarms: episodes in 30 quiet days; found_min: of each slow-down of
    10 %, the minutes to its find, none where it took more than four hours."""

    seed: int
    commit: str
    sd: float
    expected_min: float
    false_alarms: int
    found_min: tuple[float | None, ...]


def play(seed: int, commit: str) -> Line:
    """Learn three days, watch a quiet month, then slow the engine down at twelve times of a day."""
    service = draw(seed)
    known = learn(list(rounds(service, seed, LEARN_DAYS * ROUNDS_A_DAY)), "m", Source.PROBE, EVERY_S)
    test = Test(known)
    for one in rounds(service, seed, QUIET_DAYS * ROUNDS_A_DAY, start=LEARN_DAYS * ROUNDS_A_DAY):
        test.take(one)
    found = tuple(_find(service, seed, Test(known), k) for k in range(DRIFTS))
    minutes = known.design.values_to_find(known.usual_sd) * EVERY_S / 60
    return Line(seed, commit, round(known.usual_sd, 4), round(minutes, 1), len(test.episodes), found)


def _find(service: VirtualService, seed: int, test: Test, number: int) -> float | None:
    """Minutes from the slow-down to its find; two quiet hours go before."""
    start = (40 + number) * ROUNDS_A_DAY + number * ROUNDS_A_DAY // DRIFTS
    for one in rounds(service, seed, 24, start=start):
        test.take(one)
    slow = rounds(service, seed, LONGEST, start=start + 24, slower=SLOWER)
    for k, one in enumerate(slow):
        if test.take(one) is Moved.UP:
            return (k + 1) * EVERY_S / 60
    return None


def read(path: Path) -> list[Line]:
    """The lines of the file; none where there is no file."""
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [Line(**{**row, "found_min": tuple(row["found_min"])}) for row in rows]


def summary(lines: Sequence[Line]) -> str:
    """What all the lines say."""
    found = [minutes for line in lines for minutes in line.found_min]
    in_time = [minutes is not None and minutes <= 120 for minutes in found]
    known = [minutes for minutes in found if minutes is not None]
    return (
        f"{len(lines)} engines, {QUIET_DAYS} quiet days each: {sum(x.false_alarms for x in lines)} false "
        f"alarms, {max(x.false_alarms for x in lines)} at most; slow-downs of 10 %: {sum(in_time)} of "
        f"{len(found)} found within 2 h; minutes: median {np.median(known):.0f}, 90 % "
        f"{np.quantile(known, 0.9):.0f}, longest {max(known):.0f}"
    )


def main() -> None:
    """Make the lines that are missing, for as long as there is time; print the summary."""
    parser = argparse.ArgumentParser(description="Finds and false alarms of a watch over drawn engines.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", default="4000:4020", help="first:end (default 4000:4020)")
    parser.add_argument("--most-s", type=float, default=300.0, help="begin none after so many seconds")
    args = parser.parse_args()
    begin, end = map(int, args.seeds.split(":"))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    there = {line.seed for line in read(args.file)}
    until_s = time.monotonic() + args.most_s
    for seed in range(begin, end):
        if seed in there or time.monotonic() > until_s:
            continue
        with args.file.open("a") as file:
            file.write(json.dumps(asdict(play(seed, commit))) + "\n")
    print(summary(read(args.file)))


if __name__ == "__main__":
    main()
