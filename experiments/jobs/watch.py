"""Watching an engine's speed: round after round against a baseline, or all that was recorded at once."""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from experiments.drift import baseline as baselines
from experiments.drift.baseline import Source
from experiments.drift.book import Book, Test, change, judged_by, moment, said_of
from experiments.drift.exporter import Exporter, announced, served
from experiments.drift.prober import Prober
from experiments.drift.recorded import rounds_of
from experiments.drift.round import Round
from experiments.errors import EnvironmentProblem, UserError
from experiments.jobs.compare import WORSE
from experiments.jobs.gate import UNSURE
from experiments.stats.cusum import Moved
from loadtests.reach.endpoint import Endpoint
from loadtests.traffic import table
from loadtests.traffic.segments import Span, TrafficError

RECORDED_MODEL = "recorded"
"""A recording names no model."""
_BEFORE_S = 600.0
"""Who began earlier than this before a round is over by then."""


def run(args: argparse.Namespace, gateway: Endpoint | None) -> int:
    """The exit code; `args`: the flags of `watch`.

    Raises:
        UserError, EnvironmentProblem: there is nothing to watch, or it is not what it was.
    """
    if gateway is None and not args.follow:
        return _at_once(args.recorded, args.every, args.learn, args.baseline)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    prober = None if gateway is None else Prober(gateway, args.model)
    source = Source.RECORDED if prober is None else Source.PROBE
    model = args.model or RECORDED_MODEL
    book = Book.open(args.folder, model, source, args.every, round(args.learn / args.every))
    next_round = prober.round if prober is not None else _Follower(args.recorded).round
    exporter = Exporter(model)
    at = args.metrics_host, args.metrics_port
    with served(exporter, *at), announced(*at, args.targets_file):
        _say(f"watching; http://{args.metrics_host}:{args.metrics_port}/metrics; {book.said()}")
        _go_on(book, next_round, Shown(exporter, prober), args.rounds)
    return 0


@dataclass(slots=True)
class Shown:
    """Where a round's result goes: the exporter, and the terminal when something changes."""

    exporter: Exporter
    prober: Prober | None
    answered_unix_s: float = 0.0
    said: Moved | None = None

    def show(self, book: Book, one: Round | None) -> None:
        if one is not None and len(one.tpot_s):
            self.answered_unix_s = one.at_unix_s
        self.exporter.show(book, self.prober, self.answered_unix_s)
        now = None if book.test is None else book.test.sums.moved
        if now is not self.said:
            _say(book.said())
            self.said = now


def _go_on(book: Book, next_round: Callable[[float], Round], shown: Shown, most: int | None) -> None:
    """Round after round until stopped, or `most` rounds. A gateway that does not answer is no end: it is
    asked again in the next."""
    shown.show(book, None)
    for _ in itertools.count() if most is None else range(most):
        begun_s = time.monotonic()
        try:
            one = next_round(book.every_s)
        except EnvironmentProblem as problem:
            _say(str(problem))
            shown.show(book, None)
            time.sleep(max(0.0, begun_s + book.every_s - time.monotonic()))
            continue
        book.take(one)
        shown.show(book, one)


@dataclass(slots=True)
class _Follower:
    """The rounds of a recording that grows."""

    folder: Path

    def round(self, every_s: float) -> Round:
        """Waits for a round's time. What arrived in the one before: its answers are over, and on the
        disk."""
        time.sleep(every_s)
        until_s = time.time() - every_s
        from_s = until_s - every_s
        try:
            found = table.traffic(self.folder, Span(from_s - _BEFORE_S, until_s))
        except TrafficError:
            return Round(until_s, (), ())
        rounds = rounds_of(found, every_s, from_s)
        return rounds[0] if rounds else Round(until_s, (), ())


def _at_once(folder: Path, every_s: float, learn_s: float, baseline: Path | None) -> int:
    """Judge a whole recording; print what was found."""
    try:
        found = table.traffic(folder)
    except TrafficError as error:
        raise UserError(str(error)) from None
    rounds = rounds_of(found, every_s)
    if baseline is not None:
        known = baselines.read(baseline)
    else:
        first, rounds = rounds[: round(learn_s / every_s)], rounds[round(learn_s / every_s) :]
        known = baselines.learn(first, RECORDED_MODEL, Source.RECORDED, every_s)
    if known.every_s != every_s or known.source is not Source.RECORDED:
        raise UserError(
            f"{baseline} is a baseline of rounds of {known.every_s:g} s by {known.source}; give --every "
            f"{known.every_s:g}s and a baseline of recorded rows"
        )
    test = judged_by(known, rounds)
    print(told(test))
    if any(one.moved is Moved.UP for one in test.episodes):
        return WORSE
    return 0 if test.judged >= baselines.LEAST_ROUNDS else UNSURE


def told(test: Test) -> str:
    """Baseline, power, episodes, and how it is at the end."""
    known, scheme = test.baseline, test.baseline.design
    found_min = scheme.values_to_find(known.usual_sd) * known.every_s / 60
    rows = [
        f"baseline: {known.rounds} rounds from {moment(known.from_unix_s)} to {moment(known.until_unix_s)}; "
        f"a round strays by {known.usual_sd:.1%}",
        f"a slow-down of {baselines.SHIFT:.0%} is found within {found_min:.0f} min on average",
    ]
    for one in test.episodes:
        until = "now" if one.until_unix_s is None else moment(one.until_unix_s)
        rows.append(f"{moment(one.from_unix_s)} to {until}: {change(one.size)}")
    return "\n".join([*rows, f"at the end: {said_of(test)}"])


def _say(text: str) -> None:
    print(f"{moment(time.time())}  {text}", file=sys.stderr, flush=True)
