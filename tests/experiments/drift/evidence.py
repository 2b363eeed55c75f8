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
QUIET_DAYS, PARTS = 10, 3
"""Days of a part, and parts: a month, in pieces that a busy machine gets through."""
DRIFTS = 12
"""Of one engine, each at another time of the day."""
SLOWER = 1.10
LONGEST = 48
"""Rounds after which one stops waiting for a find."""


@dataclass(frozen=True, slots=True)
class Line:
    """Of one engine. part: 0 to 2 are ten quiet days each, 3 is the slow-downs; sd: of a round, as its
    baseline of three days found it; expected_min: what the watch says a find takes on average; false_alarms:
    episodes in the quiet days; found_min: of each slow-down of 10 %, the minutes to its find, none where it
    took more than four hours."""

    seed: int
    part: int
    commit: str
    sd: float
    expected_min: float
    false_alarms: int
    found_min: tuple[float | None, ...]


def play(seed: int, part: int, commit: str) -> Line:
    """Learn three days, then watch ten quiet ones, or slow the engine down at twelve times of a day."""
    service = draw(seed)
    known = learn(list(rounds(service, seed, LEARN_DAYS * ROUNDS_A_DAY)), "m", Source.PROBE, EVERY_S)
    test = Test(known)
    found: tuple[float | None, ...] = ()
    if part < PARTS:
        first = LEARN_DAYS + QUIET_DAYS * part
        for one in rounds(service, seed, QUIET_DAYS * ROUNDS_A_DAY, start=first * ROUNDS_A_DAY):
            test.take(one)
    else:
        found = tuple(_find(service, seed, Test(known), k) for k in range(DRIFTS))
    minutes = known.design.values_to_find(known.usual_sd) * EVERY_S / 60
    return Line(seed, part, commit, round(known.usual_sd, 4), round(minutes, 1), len(test.episodes), found)


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
    quiet, slow = [x for x in lines if x.part < PARTS], [x for x in lines if x.part == PARTS]
    months: dict[int, int] = {}
    for line in quiet:
        months[line.seed] = months.get(line.seed, 0) + line.false_alarms
    found = [minutes for line in slow for minutes in line.found_min]
    in_time = [minutes is not None and minutes <= 120 for minutes in found]
    known = [minutes for minutes in found if minutes is not None]
    return (
        f"{len(quiet) * QUIET_DAYS} quiet days of {len(months)} engines: {sum(months.values())} false "
        f"alarms, {max(months.values())} at most of one; slow-downs of 10 % of {len(slow)} engines: "
        f"{sum(in_time)} of {len(found)} found within 2 h; minutes: median {np.median(known):.0f}, 90 % "
        f"{np.quantile(known, 0.9):.0f}, longest {max(known):.0f}"
    )


def main() -> None:
    """Make the lines that are missing, for as long as there is time; print the summary."""
    parser = argparse.ArgumentParser(description="Finds and false alarms of a watch over drawn engines.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", default="4000:4020", help="first:end (default 4000:4020)")
    parser.add_argument("--parts", default="0,1,2,3", help="which (default all)")
    parser.add_argument("--most-s", type=float, default=300.0, help="begin none after so many seconds")
    args = parser.parse_args()
    begin, end = map(int, args.seeds.split(":"))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    there = {(line.seed, line.part) for line in read(args.file)}
    until_s = time.monotonic() + args.most_s
    for seed in range(begin, end):
        for part in map(int, args.parts.split(",")):
            if (seed, part) in there or time.monotonic() > until_s:
                continue
            with args.file.open("a") as file:
                file.write(json.dumps(asdict(play(seed, part, commit))) + "\n")
    lines = read(args.file)
    if {x.part == PARTS for x in lines} == {True, False}:
        print(summary(lines))


if __name__ == "__main__":
    main()
