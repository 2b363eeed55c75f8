"""How often a live comparison is right, over drawn engines: one line of JSON for each, appended to a file.

    python -m tests.experiments.live.evidence docs/evidence/live-compare.jsonl --seeds 3000:3200

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

from loadtests.recording.share import wilson
from tests.experiments.live import virtual_live
from tests.experiments.live.virtual_live import Plant

MOST = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison of at most `MOST` blocks. slower: how many times B's engine is; true_change: of its
    goodput for it, part of A's; outcome: the verdict at the end, after `blocks`; relative, low, high: the
    measured change."""

    plant: Plant
    seed: int
    commit: str
    slower: float
    true_change: float
    outcome: str
    blocks: int
    relative: float | None
    low: float | None
    high: float | None


def play(seed: int, plant: Plant, commit: str) -> Line:
    """Draw, plant, compare."""
    pair = virtual_live.draw(seed, plant)
    result = virtual_live.play(pair, seed, MOST).result
    rounded = [
        None if value is None else round(value, 5)
        for value in (result.relative, result.relative_low, result.relative_high)
    ]
    return Line(
        plant, seed, commit, round(pair.slower, 4), round(pair.true_change, 4), result.outcome.value,
        result.blocks, *rounded,
    )  # fmt: skip


def read(path: Path) -> list[Line]:
    """The lines of the file; none where there is no file."""
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [Line(**{**row, "plant": Plant(row["plant"])}) for row in rows]


def summary(lines: Sequence[Line]) -> str:
    """A row for each planted change."""
    said = []
    for plant in Plant:
        mine = [line for line in lines if line.plant is plant]
        if not mine:
            continue
        counts = {name: sum(x.outcome == name for x in mine) for name in ("worse", "better", "equal")}
        counts["cannot tell"] = len(mine) - sum(counts.values())
        shares = "; ".join(f"{name} {_share(n, len(mine))}" for name, n in counts.items())
        blocks = np.mean([x.blocks for x in mine])
        said.append(f"planted {plant}: n = {len(mine)}; {shares}; {blocks:.1f} blocks on average")
    return "\n".join(said)


def _share(hits: int, of: int) -> str:
    low, high = wilson(hits, of)
    return f"{hits / of:.1%} [{low:.1%}, {high:.1%}]"


def main() -> None:
    """Make the lines that are missing, for as long as there is time; print the summary."""
    parser = argparse.ArgumentParser(description="Verdicts of live comparisons over drawn engines.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", default="3000:3200", help="first:end (default 3000:3200)")
    parser.add_argument("--most-s", type=float, default=380.0, help="begin none after so many seconds")
    args = parser.parse_args()
    begin, end = map(int, args.seeds.split(":"))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    there = {(line.plant, line.seed) for line in read(args.file)}
    until_s = time.monotonic() + args.most_s
    for seed in range(begin, end):
        for plant in Plant:
            if (plant, seed) in there or time.monotonic() > until_s:
                continue
            with args.file.open("a") as file:
                file.write(json.dumps(asdict(play(seed, plant, commit))) + "\n")
    print(summary(read(args.file)))


if __name__ == "__main__":
    main()
