"""Lanes on a real engine:

    python -m benchmarks.lanes.real flood        one of flood, priority, tokens, batch; up to six minutes
    python -m benchmarks.lanes.real --table      what the file has

flood: one tenant offers ten times the capacity; priority: the rank of a class reaches vLLM's scheduler;
tokens: slots in tokens beside slots of requests, with a small KV cache; batch: `headroom batch run` beside
people (--seconds 120 --blocks 1). Each block is a line of the file as soon as it has ended; the same command
adds more. It ends with 1 where the goal is missed over all blocks of an engine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.lanes.real.lines import ROOT, keep, read
from benchmarks.lanes.real.parts import PARTS
from benchmarks.lanes.real.windows import ENGINES, standing

EVIDENCE = ROOT / "docs" / "evidence" / "lanes-real.jsonl"


def main(argv: Sequence[str] | None = None) -> int:
    """Play blocks of a part, print its table; 1 where the goal is missed."""
    begin_s = time.monotonic()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lanes.real",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", nargs="?", choices=PARTS)
    parser.add_argument("--engine", choices=ENGINES, default="vllm-cpu", help="(default: %(default)s)")
    parser.add_argument("--blocks", type=int, default=2, help="at most, in this run (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of a window (default: %(default)g)")
    parser.add_argument(
        "--within", type=float, default=340.0, metavar="S",
        help="no block begins that would not end by then (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument("--file", type=Path, default=EVIDENCE, help="JSON lines, a block each")
    parser.add_argument("--table", action="store_true", help="only print what the file has")
    asked = parser.parse_args(argv)
    if asked.part is None and not asked.table:
        parser.error(f"name a part ({', '.join(PARTS)}), or --table")
    if not asked.table:
        _play(asked, begin_s + asked.within)
    met = [_told(asked.file, name) for name in ([asked.part] if asked.part else PARTS)]
    return 0 if all(met) else 1


def _play(asked: argparse.Namespace, until_s: float) -> None:
    part, done = PARTS[asked.part], read(asked.file, asked.part)
    longest_s = 0.0
    with standing(asked.engine, part.knobs, part.args(asked.engine)) as stand:
        earlier = [line.capacity_per_s for line in done if line.engine == stand.engine.label]
        # All blocks of an engine offer the same.
        capacity_per_s = earlier[0] if earlier else part.capacity_per_s(stand)
        print(f"{stand.engine.label}: capacity {capacity_per_s:.2f}/s", flush=True)
        first = len(earlier)
        for number in range(first, first + asked.blocks):
            begin_s = time.monotonic()
            if begin_s + longest_s > until_s:
                print("no time for another block", flush=True)
                return
            windows = part.block(stand, capacity_per_s, number, asked.seconds)
            longest_s = max(longest_s, time.monotonic() - begin_s)
            keep(asked.file, asked.part, stand.engine.label, asked.seconds, capacity_per_s, windows)
            print(f"block {number + 1}: {time.monotonic() - begin_s:.0f} s", flush=True)


def _told(file: Path, name: str) -> bool:
    """Prints a part's table for each engine; whether the goal is met with all of them."""
    lines, met = read(file, name), []
    for label in sorted({line.engine for line in lines}):
        blocks = [line.windows for line in lines if line.engine == label]
        rows, good = PARTS[name].judged(blocks)
        verdict = "met" if good else "MISSED"
        print(f"\n{name}, {label}, {len(blocks)} blocks: the goal is {verdict}\n", flush=True)
        print("\n".join(rows), flush=True)
        met.append(good)
    return all(met)


if __name__ == "__main__":
    sys.exit(main())
