"""What a headless run says on the terminal: its progress and its summary, in place of Locust's tables."""

from __future__ import annotations

import logging
import sys
import time
from argparse import Namespace
from typing import TYPE_CHECKING

import gevent

from loadtests.recording import end_of_run
from loadtests.recording.live import Live
from loadtests.recording.load_run import LoadRun

if TYPE_CHECKING:
    from loadtests.running.lifecycle import Run

_EVERY_S = 5.0
_LOCUSTS_TABLES = "locust.stats_logger"


class Console:
    """Two flags of Locust mean ours here: `--json` the one line on stdout (all else goes to stderr), and
    `--only-summary` no progress. `--print-stats` brings Locust's own tables back, which know neither the
    warm-up nor the objective.
    """

    def __init__(self, options: Namespace) -> None:
        self._json: bool = options.json
        self._progress: bool = not options.only_summary
        options.json = False  # or Locust would print a document of its own beside it
        if not options.print_stats:
            logging.getLogger(_LOCUSTS_TABLES).setLevel(logging.WARNING)

    def watch(self, run: Run) -> None:
        """Say every five seconds how far it is."""
        if self._progress:
            gevent.spawn(_say_progress, run)

    def say_end(self, run: LoadRun, folder: str) -> None:
        """The summary; what it says is in load.json already."""
        end = end_of_run.end_of_run(run, folder)
        people = sys.stderr if self._json else sys.stdout
        people.write(end_of_run.text(run, end))
        people.flush()
        if self._json:
            sys.stdout.write(end_of_run.line(end))
            sys.stdout.flush()


def _say_progress(run: Run) -> None:
    while not run.done.wait(_EVERY_S):
        sys.stderr.write(progress(run.live, time.monotonic() - run.start_s, run.plan.last_due_s))
        sys.stderr.flush()


def progress(live: Live, now_s: float, duration_s: float) -> str:
    """One line at run time `now_s`."""
    of_planned = f" of {live.planned}" if live.planned else ""
    outcomes = "".join(f", {outcome} {n}" for outcome, n in sorted(live.outcomes.items()))
    return (
        f"{now_s:.0f} s of {duration_s:.0f} s: {live.recorded}{of_planned} requests ended, "
        f"{live.in_flight} in flight{outcomes}\n"
    )
