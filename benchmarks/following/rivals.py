"""Envoy's gradient controller and AIMD, after their public documentation, as deciders of the player."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from benchmarks.following.controller import Following, Interval, Rule, follow
from benchmarks.following.player import Sample

Signal = Callable[[Sample], float]


def whole_s(answer: Sample) -> float:
    tail = 0.0 if math.isnan(answer.tpot_s) else answer.tpot_s * (answer.tokens - 1)
    return answer.ttft_s + tail


def first_s(answer: Sample) -> float:
    return answer.ttft_s


def token_s(answer: Sample) -> float:
    return answer.tpot_s


@dataclass
class Ours:
    rule: Rule
    state: Following

    def __call__(self, now_s: float, seen: Interval, samples: Sequence[Sample]) -> int:
        self.state = follow(self.state, seen, self.rule)
        return self.state.limit


@dataclass
class Gradient:
    """limit' = (minRTT + B) / sampleRTT · limit + √limit; minRTT measured again every minute at 3 slots."""

    limit: float
    floor: int
    ceiling: int
    signal: Signal
    percentile: float = 0.9
    buffer: float = 0.25
    every_s: float = 60.0
    jitter: float = 0.1
    count: int = 50
    least: int = 3
    random: Random = field(default_factory=lambda: Random(1))
    samples: list[float] = field(default_factory=list)
    min_s: float = math.nan
    measuring: bool = True
    next_s: float = 0.0
    at_least: int = 0

    def __call__(self, now_s: float, seen: Interval, samples: Sequence[Sample]) -> int:
        values = [self.signal(answer) for answer in samples]
        self.samples += [value for value in values if value == value]
        if not self.measuring and (now_s >= self.next_s or self.at_least >= 5):
            self.measuring, self.at_least = True, 0
            self.samples = []
        if self.measuring:
            if len(self.samples) >= self.count:
                self.min_s = self._aggregate()
                self.measuring = False
                self.next_s = now_s + self.every_s * (1 + self.jitter * self.random.random())
                return self._set(self.limit)
            return min(self.least, self.ceiling)
        if self.samples:
            gradient = min(2.0, max(0.5, self.min_s * (1 + self.buffer) / self._aggregate()))
            limit = gradient * self.limit
            self._set(limit + math.sqrt(limit))
            self.at_least = self.at_least + 1 if self.limit <= self.least else 0
        return round(self.limit)

    def _set(self, limit: float) -> int:
        self.limit = min(self.ceiling, max(self.least, limit))
        return round(self.limit)

    def _aggregate(self) -> float:
        ordered = sorted(self.samples)
        self.samples = []
        return ordered[min(len(ordered) - 1, int(self.percentile * len(ordered)))]


@dataclass
class Aimd:
    """One more where at least half is used, times `back` where more than `share` of the answers are late."""

    limit: float
    rule: Rule
    back: float = 0.9
    share: float = 0.05
    more: float = 1.0

    def __call__(self, now_s: float, seen: Interval, samples: Sequence[Sample]) -> int:
        rule = self.rule
        if samples:
            missed = sum(
                answer.tpot_s > rule.tpot_s or answer.wait_s + answer.ttft_s > rule.ttft_s
                for answer in samples
            )
            if missed > self.share * len(samples):
                self.limit *= self.back
            elif seen.active * 2 >= self.limit:
                self.limit += self.more
            self.limit = min(rule.ceiling, max(rule.floor, self.limit))
        return round(self.limit)
