"""How long a person waits for the report, on a run of 12 cells and on one of 60 cells with a million records.

    python -m benchmarks.report_speed                  three rounds of this checkout
    python -m benchmarks.report_speed v0.1.0           beside the code of that revision, in turn, with ratios

Goals: 1.5 s and 5 s on a machine whose Python adds up a million numbers in 60 ms; what this one takes for
that is printed beside them.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.before_after.code import Code, of_revision
from benchmarks.report_speed import large_run

ROOT = Path(__file__).resolve().parents[2]
SMALL = ROOT / "docs" / "examples" / "vllm-cpu"
ROUNDS = 3
GOALS_S = {"12 cells": 1.5, "60 cells, 1 M records": 5.0}


def main(argv: Sequence[str]) -> int:
    """Time both runs; 1 when a report failed."""
    with tempfile.TemporaryDirectory() as folder, _codes(argv, Path(folder)) as codes:
        large = Path(folder) / "large"
        print(f"{large_run.write(large):,} records written", flush=True)
        print(f"a sum of a million numbers takes {_sum_s() * 1e3:.0f} ms here")
        for name, run in zip(GOALS_S, (SMALL, large), strict=True):
            took_s: dict[str, list[float]] = {one: [] for one in codes}
            for _ in range(ROUNDS):
                for one, code in codes.items():
                    took_s[one].append(_report_s(code, run, Path(folder) / "report.html"))
            _show(name, took_s)
    return 0


def _show(name: str, took_s: dict[str, list[float]]) -> None:
    for one, rounds_s in took_s.items():
        times = ", ".join(f"{s:.2f}" for s in rounds_s)
        print(f"{name}, {one}: median {statistics.median(rounds_s):.2f} s ({times}; goal {GOALS_S[name]:g})")
    if len(took_s) > 1:
        here, other = took_s.values()
        ratios = sorted(a / b for a, b in zip(here, other, strict=True))
        print(f"{name}: this checkout takes {statistics.median(ratios):.2f} of the other's time "
              f"({ratios[0]:.2f}–{ratios[-1]:.2f})", flush=True)  # fmt: skip


def _report_s(code: Code, run: Path, page: Path) -> float:
    began_s = time.monotonic()
    done = code.run("-m", "reports", str(run), "-o", str(page))
    took_s = time.monotonic() - began_s
    if done.returncode != 0:
        sys.exit(done.stderr)
    return took_s


@contextlib.contextmanager
def _codes(revisions: Sequence[str], folder: Path) -> Iterator[dict[str, Code]]:
    """This checkout, and the one of a revision, if one is named."""
    if not revisions:
        yield {"here": Code(ROOT)}
        return
    with of_revision(ROOT, revisions[0], folder) as other:
        yield {"here": Code(ROOT), revisions[0]: other}


def _sum_s() -> float:
    """How fast this Python is, by what it takes for a plain loop; the shortest of five."""
    took_s = []
    for _ in range(5):
        began_s, total = time.perf_counter(), 0
        for number in range(1_000_000):
            total += number
        took_s.append(time.perf_counter() - began_s)
    return min(took_s)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
