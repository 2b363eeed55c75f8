"""Comparing two engines or settings live: blocks in turn until the verdict, the page, the exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from experiments.cli.live_args import LiveOptions
from experiments.cli.progress import SweepProgress
from experiments.cli.sweep_args import SweepOptions
from experiments.decide.live_verdict import LiveVerdict, judge, read_blocks
from experiments.design.pair_order import Side
from experiments.errors import UserError
from experiments.jobs.compare import WORSE
from experiments.jobs.gate import UNSURE
from experiments.measure import interruption, preflight
from experiments.measure.live_blocks import LivePair, measure_blocks
from experiments.run_folder import codec
from experiments.run_folder.folder import RunDir, open_or_create
from experiments.run_folder.live_run import NAME, LiveOutcome, LiveRun, read_live
from experiments.run_folder.reading import objective_of
from experiments.run_folder.run_state import RunStatus
from experiments.stats import sequential


def run(options: LiveOptions) -> int:
    """The exit code: 0 equal or better, 20 worse, 21 cannot tell.

    Raises:
        UserError, EnvironmentProblem, ObjectiveOutOfReach: it cannot be measured.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress = SweepProgress(options.a.quiet)
    asked = {side: preflight.check(of, progress.say) for side, of in _sides(options).items()}
    book = LiveBook.open(options)
    runs = {side: _run_of(book.folder, side, asked[side]) for side in Side}
    pair = LivePair(asked, runs, options.way, options.a.spec.load.seed, progress)
    stop = Stopping(book, pair, options, time.monotonic)
    try:
        with progress:
            progress.say(f"comparison {book.folder}")
            if stop.next_block() is not None:
                measure_blocks(pair, stop.next_block)
    except KeyboardInterrupt:
        for one in runs.values():
            interruption.stopped(one)
        return interruption.EXIT_CODE
    finally:
        for one in runs.values():
            one.close()
    for one in runs.values():
        one.save(replace(one.state, status=RunStatus.COMPLETE))
    return _tell(book, stop.verdict(final=True))


@dataclass(slots=True)
class LiveBook:
    """live.json of a comparison, kept up to date."""

    folder: Path
    state: LiveRun

    @classmethod
    def open(cls, options: LiveOptions) -> LiveBook:
        """The one in the options' folder, or a new one.

        Raises:
            UserError: the folder holds a comparison of something else, or cannot be made.
        """
        path = options.folder / NAME
        fresh = LiveRun(
            created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            command=options.command,
            a=options.words[0],
            b=options.words[1],
            way=options.way,
            metric=options.metric,
            delta=options.delta,
            seed=options.a.spec.load.seed,
            planned=options.blocks,
        )
        if path.exists():
            book = cls(options.folder, read_live(options.folder))
            begun = book.state
            for name in ("a", "b", "way", "metric", "delta", "seed"):
                if getattr(begun, name) != getattr(fresh, name):
                    raise UserError(
                        f"{options.folder} holds a comparison with another {name} ({getattr(begun, name)}); "
                        "name another --out"
                    )
            return book
        try:
            options.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot make {options.folder}: {error.strerror}") from None
        book = cls(options.folder, fresh)
        book.save(fresh)
        return book

    def save(self, state: LiveRun) -> None:
        self.state = state
        codec.write(self.folder / NAME, state)


@dataclass(slots=True)
class Stopping:
    """When it is enough: a verdict at a look, the most blocks, or no time for another one."""

    book: LiveBook
    pair: LivePair
    options: LiveOptions
    clock_s: Callable[[], float]
    _begun_s: float = 0.0
    _last_s: float = 0.0
    _last_done: int = 0
    _longest_s: float = 0.0

    def __post_init__(self) -> None:
        self._begun_s = self._last_s = self.clock_s()
        self._last_done = self._done()

    def next_block(self) -> int | None:
        """The number of the block to measure next; None: it is enough."""
        now_s, done = self.clock_s(), self._done()
        if done > self._last_done:
            self._longest_s = max(self._longest_s, now_s - self._last_s)
        self._last_s, self._last_done = now_s, done
        if done and self._is_told(done):
            return None
        budget_s = self.options.budget_s
        late = budget_s is not None and now_s - self._begun_s + self._longest_s > budget_s
        return None if done >= self.options.blocks or (done and late) else done

    def _is_told(self, done: int) -> bool:
        verdict = self.verdict(final=False)
        self.pair.progress.say(f"after {done} blocks {verdict.said}")
        at_look = len(verdict.counted) in self.book.state.looks
        return at_look and verdict.outcome is not LiveOutcome.CANT_TELL

    def verdict(self, *, final: bool) -> LiveVerdict:
        """What the blocks say now. A look is taken where the schedule has one, and at the end."""
        state = self.book.state
        blocks = read_blocks(self.book.folder, state, objective_of(self.pair.runs[Side.A].path))
        counted = sum(not block.invalid for block in blocks)
        due = counted in sequential.LOOKS or final
        if counted >= sequential.LOOKS[0] and due and counted not in state.looks:
            self.book.save(replace(state, looks=(*state.looks, counted)))
        looks = self.book.state.looks
        verdict = judge(state, blocks, looks if counted in looks else (*looks, counted))
        self.book.save(replace(self.book.state, result=verdict.result))
        return verdict

    def _done(self) -> int:
        """Blocks from 0 on that both sides have measured."""
        number = 0
        while all(self.pair.is_done(side, number) for side in Side):
            number += 1
        return number


def _sides(options: LiveOptions) -> dict[Side, SweepOptions]:
    return {Side.A: options.a, Side.B: options.b}


def _run_of(folder: Path, side: Side, options: SweepOptions) -> RunDir:
    found, _ = open_or_create(options.runs, folder / side, options.spec, options.command)
    return found


def _tell(book: LiveBook, verdict: LiveVerdict) -> int:
    """The verdict for a terminal, and the page; the exit code."""
    state = book.state
    print(f"B ({state.b}) against A ({state.a}), {len(verdict.counted)} blocks:")
    print(f"  {verdict.said}")
    page = subprocess.run(
        [sys.executable, "-m", "reports", "live", str(book.folder)], stdout=subprocess.DEVNULL, check=False
    )
    if page.returncode == 0:
        print(f"  page: {book.folder / 'live.html'}")
    return {LiveOutcome.WORSE: WORSE, LiveOutcome.CANT_TELL: UNSURE}.get(verdict.outcome, 0)
