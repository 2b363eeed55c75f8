"""The folder of a watch: its baseline, its rounds, and what they say, so that a watch goes on after a
restart."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from experiments.drift import baseline as baselines
from experiments.drift.baseline import Baseline, Source
from experiments.drift.round import Round
from experiments.errors import UserError
from experiments.run_folder import codec
from experiments.stats.cusum import Cusum, Moved

BASELINE, ROUNDS = "baseline.json", "rounds.jsonl"


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of rounds in which the speed was called changed. size: logarithm, above zero is slower;
    `until_unix_s`: None where it lasts."""

    moved: Moved
    from_unix_s: float
    until_unix_s: float | None
    size: float


@dataclass(slots=True)
class Test:
    """Rounds against a baseline, one after the other. `judged`: rounds with an answer that counts."""

    baseline: Baseline
    sums: Cusum = field(default_factory=Cusum)
    judged: int = 0
    episodes: list[Episode] = field(default_factory=list)

    def take(self, one: Round) -> Moved:
        """What is said after this round; one without an answer changes nothing."""
        found = self.baseline.residual(one)
        if found is None:
            return self.sums.moved
        self.judged += 1
        before, self.sums = self.sums, self.sums.after(*found, self.baseline.design)
        if before.moved is not self.sums.moved and before.moved is not Moved.NO:
            self.episodes[-1] = dataclasses.replace(self.episodes[-1], until_unix_s=one.at_unix_s)
        if self.sums.moved is not Moved.NO:
            if before.moved is not self.sums.moved:
                self.episodes.append(Episode(self.sums.moved, one.at_unix_s, None, self.sums.size))
            self.episodes[-1] = dataclasses.replace(self.episodes[-1], size=self.sums.size)
        return self.sums.moved


@dataclass(slots=True)
class Book:
    """A watch's folder, and the test as far as it has come; while `test` is None it learns.

    Attributes:
        learn: rounds with answers that make the baseline.
    """

    folder: Path
    model: str
    source: Source
    every_s: float
    learn: int
    test: Test | None = None
    learned: list[Round] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path, model: str, source: Source, every_s: float, learn: int) -> Book:
        """The folder's watch, gone on with, or a new one.

        Raises:
            UserError: it watches something else, or cannot be made.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot make {folder}: {error.strerror}") from None
        book = cls(folder, model, source, every_s, learn)
        if (folder / BASELINE).exists():
            known = baselines.read(folder / BASELINE)
            for what, of_known, now in (
                ("model", known.model, model), ("kind of rounds", known.source, source),
                ("every", known.every_s, every_s),
            ):  # fmt: skip
                if of_known != now:
                    raise UserError(
                        f"{folder} has a baseline with another {what} ({of_known}): name another --folder, "
                        "or move it away to learn anew"
                    )
            book.test = Test(known)
        for one in _stored(folder / ROUNDS):
            book._count(one)
        return book

    def take(self, one: Round) -> None:
        """Keep a round, and learn or judge by it."""
        line = {"at_unix_s": one.at_unix_s, "in_flight": list(one.in_flight), "tpot_s": list(one.tpot_s)}
        with (self.folder / ROUNDS).open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._count(one)
        if self.test is None and len(self.learned) >= self.learn:
            made = baselines.learn(self.learned, self.model, self.source, self.every_s)
            codec.write(self.folder / BASELINE, made)
            self.test = Test(made)

    def _count(self, one: Round) -> None:
        if self.test is None:
            self.learned += [one] if len(one.tpot_s) else []
        elif one.at_unix_s > self.test.baseline.until_unix_s:
            self.test.take(one)

    def said(self) -> str:
        """One line for a terminal."""
        if self.test is None:
            return f"learning: {len(self.learned)} of {self.learn} rounds with answers"
        return said_of(self.test)


def said_of(test: Test) -> str:
    """`12 % slower than the baseline since 2026-11-30 14:05 UTC`."""
    if test.sums.moved is Moved.NO:
        return f"as fast as the baseline ({test.judged} rounds)"
    return f"{change(test.sums.size)} than the baseline, found {moment(test.episodes[-1].from_unix_s)}"


def change(size: float) -> str:
    """`12 % slower`."""
    ratio = math.exp(size)
    return f"{(ratio - 1) * 100:.0f} % slower" if size > 0 else f"{(1 - ratio) * 100:.0f} % faster"


def moment(unix_s: float) -> str:
    """`2026-11-30 14:05 UTC`."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def judged_by(baseline: Baseline, rounds: Sequence[Round]) -> Test:
    """The test after all these rounds, in order of time."""
    test = Test(baseline)
    for one in rounds:
        test.take(one)
    return test


def _stored(path: Path) -> Iterator[Round]:
    """What is kept; a line that a crash tore is left out, and ended, so that the next is whole."""
    if not path.exists():
        return
    text = path.read_text()
    if text and not text.endswith("\n"):
        with path.open("a") as file:
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
    for line in text.splitlines():
        try:
            row = json.loads(line)
            yield Round(row["at_unix_s"], row["in_flight"], row["tpot_s"])
        except (ValueError, KeyError, TypeError):
            continue
