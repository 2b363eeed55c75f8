"""Whether this code makes of run folders what the code of another revision made of them.

    python -m benchmarks.before_after main docs/examples/vllm-cpu runs/NAME
    python -m benchmarks.before_after 91ec9e7 runs/NAME --allow benchmarks/before_after/since_91ec9e7.toml

Each run folder is copied twice. Report, Markdown summary, exported tables and recommendation are made of
one copy by the code of REV (in a worktree of its own, which goes afterwards), of the other by this
checkout's; everything in them is compared: each leaf of recommendation.json (null is the same as
missing), each cell of each table, each field of each CSV and Parquet file; floats to a relative 1e-12.
Then this code alone: each document of the folder after it was read and written, and counts, rates and
latencies made again from the raw records, against what is stored.

Exit code: 0 nothing differs that is not allowed, 1 something does, 2 a mistake in the command.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.before_after import allowed, code, recount, stored
from benchmarks.before_after.allowed import Allowed
from benchmarks.before_after.code import Code
from benchmarks.before_after.leaves import Difference, Leaf, differences
from benchmarks.before_after.made import make
from experiments.errors import UserError, run_command

ROOT = Path(__file__).resolve().parents[2]
_WIDEST = 60


def main(argv: Sequence[str]) -> int:
    """Compare, print what differs; the exit code says whether that is allowed."""
    args = _parser().parse_args(argv)
    for run in args.runs:
        if not run.is_dir():
            raise UserError(f"{run} is not a folder")
    meant = allowed.read(args.allow) if args.allow else Allowed({})
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill cleans up, too
    found: list[Difference] = []
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="before-after-")))
        before = opened.enter_context(code.of_revision(ROOT, args.revision, folder))
        after = Code(ROOT)
        for one in (before, after):
            one.check()
        for place, run in enumerate(args.runs):
            found += _compare(run, before, after, folder / str(place))
    return _show(found, meant, args.most)


def _compare(run: Path, before: Code, after: Code, folder: Path) -> list[Difference]:
    """Everything that differs in one run, its name in front of each path."""
    made = make(before, run, folder / "before"), make(after, run, folder / "after")
    pairs = {"": made, "read and written: ": stored.as_written_and_as_read(run)}
    pairs["recounted: "] = recount.stored_and_recounted(run)
    counted = ", ".join(f"{len(one)} leaves {what or 'made'}".strip(": ") for what, (one, _) in pairs.items())
    print(f"{run.name}: {counted}", file=sys.stderr)
    return [
        Difference(f"{run.name}: {what}{one.path}", one.before, one.after)
        for what, (first, second) in pairs.items()
        for one in differences(first, second)
    ]


def _show(found: Sequence[Difference], meant: Allowed, most: int) -> int:
    """Print a table of what differs, not allowed first, and what the list allows without need."""
    rows = [(meant.reason(one.path), one) for one in found]
    rows.sort(key=lambda row: row[0] is not None)
    bad = sum(reason is None for reason, _ in rows)
    if rows:
        print("| where | before | after | allowed because |\n| --- | --- | --- | --- |")
    for reason, one in rows[:most]:
        before, after = shown(one.before, one.after)
        print(f"| {one.path} | {before} | {after} | {reason or '**not allowed**'} |")
    if len(rows) > most:
        print(f"\n… and {len(rows) - most} more (--most N shows N).")
    for pattern in meant.unused(one.path for one in found):
        print(f"nothing differs at {pattern}: take it off the list", file=sys.stderr)
    print(f"{len(rows)} differences, {bad} of them not allowed", file=sys.stderr)
    return 1 if bad else 0


def shown(before: Leaf | None, after: Leaf | None) -> tuple[str, str]:
    """Both values for a table; of two long texts, from where they part."""
    texts = ["–" if value is None else str(value) for value in (before, after)]
    differ = (k for k, (one, other) in enumerate(zip(*texts, strict=False)) if one != other)
    common = next(differ, min(map(len, texts)))
    if common and max(map(len, texts)) > _WIDEST:
        texts = [f"…{text[common:]}" for text in texts]
    cut = [text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…" for text in texts]
    return cut[0].replace("|", "\\|"), cut[1].replace("|", "\\|")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.before_after",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("revision", metavar="REV", help="the code to compare with, as git names it")
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="folder of a run")
    parser.add_argument(
        "--allow", type=Path, metavar="FILE", help="TOML: differences that are meant, and why"
    )
    parser.add_argument(
        "--most", type=int, default=200, metavar="N", help="rows that are shown (default 200)"
    )
    return parser


if __name__ == "__main__":
    run_command(main)
