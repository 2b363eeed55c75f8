"""`python -m benchmarks.first_try`: the default sweep on the real vLLM, again and again, quiet and with work
planted beside it.

Every run is a line of docs/evidence/first-try.jsonl, from which `python -m tests.docs.tables` makes the table
in docs/engineering-insights.md. What is wanted and not there yet is run next; it may be stopped at any time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.first_try import lines, table
from benchmarks.first_try.conditions import Condition
from benchmarks.first_try.figures import counted, was_left_alone
from benchmarks.first_try.lines import FILE, ROOT, RunLine
from benchmarks.first_try.one_run import Order, play
from experiments.errors import UserError, run_command

USUAL_S = 420.0
"""Of a run, where there is none yet to go by."""


def main(argv: Sequence[str]) -> int:
    """Run what is missing; exit code 0."""
    flags = argparse.ArgumentParser(prog="python -m benchmarks.first_try", description=__doc__)
    flags.add_argument(
        "--want",
        default="quiet=10,engine-busy=10,harness-busy=5",
        metavar="CONDITION=N,…",
        help="runs of each condition that there shall be (default %(default)s)",
    )
    flags.add_argument("--minutes", type=float, default=float("inf"), help="end after so many")
    flags.add_argument("--table", action="store_true", help="run nothing; print what the runs show")
    asked = flags.parse_args(argv)
    wanted = parse_wanted(asked.want)
    if not asked.table:
        run_missing(wanted, FILE, ROOT / "runs", asked.minutes * 60)
    print(table.markdown(lines.read()))
    return 0


def parse_wanted(text: str) -> dict[Condition, int]:
    """From `quiet=10,engine-busy=2`.

    Raises:
        UserError: something else.
    """
    found = {}
    for part in text.split(","):
        name, equals, count = part.strip().partition("=")
        if name not in list(Condition) or not equals or not count.isdigit():
            raise UserError(f"--want {part.strip()}: write CONDITION=N, with one of {', '.join(Condition)}")
        found[Condition(name)] = int(count)
    return found


def run_missing(wanted: Mapping[Condition, int], file: Path, runs: Path, within_s: float) -> None:
    """One run after the other, until all are there or the next would not end in time."""
    until_s = time.monotonic() + within_s
    while (condition := next_condition(wanted, lines.read(file))) is not None:
        made = lines.read(file)
        usual_s = statistics.median([run.ready_s + run.wall_s for run in made] or [USUAL_S])
        if time.monotonic() + usual_s > until_s:
            print(f"the next run ({condition}, about {usual_s / 60:.0f} min) would not end in time")
            return
        seed = 1 + max((run.seed for run in lines.of(condition, made)), default=0)
        stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
        order = Order(condition, seed, runs / f"first-try-{stamp}-{condition}-{seed}", until_s=until_s)
        print(f"{condition}, seed {seed}: {order.folder}", flush=True)
        run = play(order)
        lines.append(run, file)
        print(f"  {said(run)}", flush=True)


def next_condition(wanted: Mapping[Condition, int], made: Sequence[RunLine]) -> Condition | None:
    """The one that lacks the largest part of its runs, so that all of them are spread over the same days;
    None when there are enough."""
    missing = {
        condition: 1 - len(counted(condition, made)) / n
        for condition, n in wanted.items()
        if len(counted(condition, made)) < n
    }
    return max(missing, key=missing.__getitem__) if missing else None


def said(run: RunLine) -> str:
    """One line for the terminal."""
    flagged = sum(cell.is_flagged for cell in run.cells)
    noisy = "" if was_left_alone(run) else "; others were busy: it does not count"
    return f"{run.recommended}, {run.wall_s:.0f} s, {flagged} of {len(run.cells)} cells flagged{noisy}"


if __name__ == "__main__":
    run_command(main)
