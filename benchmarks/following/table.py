"""What `measure` found, as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.following.judge import FIRST, SECOND, SEEDS, STARTS


def show(paths: Sequence[Path]) -> None:
    """Per controller: goodput in both halves as a part of the best fixed limit's, over engines and starts."""
    rows = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    names = sorted({run["name"] for row in rows for run in row["runs"]})
    for name in names:
        found = [one for row in rows for start in STARTS if (one := _parts(row, name, start)) is not None]
        first, second = np.array([one[:2] for one in found]).T
        halves = ", ".join(
            f"median {np.median(half):.2f}, least {half.min():.2f}, {(half >= 0.95).sum()} of {len(half)}"
            for half in (first, second)
        )
        print(f"{name:18s} {halves}")
        if name == "ours":
            low = np.array([one[2:4] for one in found])
            spread = np.array([one[4] for one in found])
            print(
                f"    least windows >= 0.9: {(low >= 0.9).sum(0)} of {len(low)}; rest: {(spread <= 2).sum()}"
            )
    won = sum(
        all(_total(row, "ours") > _total(row, name) for name in names if name != "ours") for row in rows
    )
    print(f"ours is the best on {won} of {len(rows)} engines")


def _best(row: dict, half: slice) -> np.ndarray:
    """Windows of the best fixed limit, (seeds, windows)."""
    return max((np.array(runs)[:, half] for runs in row["fixed"].values()), key=lambda found: found.sum())


def _parts(row: dict, name: str, start: int) -> tuple[float, float, float, float, int] | None:
    runs = [run for run in row["runs"] if run["name"] == name and run["start"] == start]
    if not runs:
        return None
    seeds = [SEEDS.index(run["seed"]) for run in runs]
    windows = np.array([run["windows"] for run in runs])
    parts, least = [], []
    for half in (FIRST, SECOND):
        best = _best(row, half)[seeds]
        parts.append(windows[:, half].sum() / best.sum())
        least.append((windows[:, half].sum(0) / np.maximum(best.sum(0), 1e-9)).min())
    limits = [[limit for at_s, limit in run["path"] if 180 <= at_s < 300] for run in runs]
    return parts[0], parts[1], least[0], least[1], max(max(one) - min(one) for one in limits)


def _total(row: dict, name: str) -> float:
    return float(np.mean([np.sum(run["windows"]) for run in row["runs"] if run["name"] == name]))
