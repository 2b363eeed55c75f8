"""What a person sees while a sweep runs: what is being decided, where it is, how long it still takes, and
each cell's result as it comes."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.doubt import DoubtCode
from experiments.spec.durations import show


class SweepProgress:
    """A bar on a terminal, plain lines elsewhere, only results when quiet. Everything goes to standard
    error."""

    def __init__(self, quiet: bool) -> None:
        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            disable=quiet or not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None, left="")
        self._remaining_s: list[float] = []
        self._cell_began_s = 0.0
        self._pace = 1.0
        self._deciding = ""
        self._cell = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        self._console.print(text, markup=False, soft_wrap=True)

    def plan(self, expected_s: list[float], done: int) -> None:
        """The cells still to come, each with its expected seconds, and how many were done before."""
        self._remaining_s = expected_s
        self._bar.update(self._task, total=done + len(expected_s), completed=done)
        self.say(f"{len(expected_s)} cells to measure, about {show(sum(expected_s))}")

    def deciding(self, text: str) -> None:
        """What the next cells are measured for, such as `screening 12 settings at burst@1.2x: 7 left`; "" for
        nothing in particular. It stands before the cell on the bar, and is a line elsewhere."""
        if text == self._deciding:
            return
        self._deciding = text
        self._describe()
        if text and self._bar.disable:
            self.say(text)

    def cell_begins(self, name: str) -> None:
        """A cell has started."""
        self._cell_began_s = time.monotonic()
        self._cell = name
        self._describe()

    def cell_ends(self, name: str, summary: CellSummary) -> None:
        """A cell is on disk."""
        expected_s = self._remaining_s.pop(0) if self._remaining_s else 0.0
        if expected_s:
            # Half of the old pace, half of the new: one slow drain must not swing the estimate.
            self._pace = 0.5 * self._pace + 0.5 * (time.monotonic() - self._cell_began_s) / expected_s
        self._bar.update(self._task, advance=1, left=self._left())
        self.say(f"{name}: {_result(summary)}; {self._left()}")

    def _describe(self) -> None:
        words = ": ".join(part for part in (self._deciding, self._cell) if part)
        self._bar.update(self._task, description=escape(words) or "starting", left=self._left())

    def _left(self) -> str:
        return f"{show(self._pace * sum(self._remaining_s))} left"


def _result(summary: CellSummary) -> str:
    ttft = summary.latency.ttft_s if summary.latency is not None else None
    p95_s = ttft.p95.value if ttft is not None else None
    p95 = f"TTFT p95 {p95_s * 1e3:.0f} ms" if p95_s is not None else "TTFT p95: too few requests"
    text = p95
    rates = summary.rates
    if rates is not None and rates.goodput_per_s is not None and summary.attainment is not None:
        text = (
            f"goodput {rates.goodput_per_s:.2f} of {rates.offered_per_s or 0.0:.2f}/s offered, "
            f"attainment {summary.attainment:.0%}, {p95}"
        )
    invalid = [doubt.code for doubt in summary.doubts if doubt.code in summary.invalid_codes]
    text = f"{text}; INVALID: {', '.join(invalid)}" if invalid else text
    lengths = [doubt.text for doubt in summary.doubts if doubt.code is DoubtCode.LENGTHS]
    return f"{text} ({'; '.join(lengths)})" if lengths else text
