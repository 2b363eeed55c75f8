"""The twin with a limit that somebody changes while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isnan
from typing import NamedTuple

from benchmarks.following.controller import Answered, First, Interval
from experiments.twin.profile import Profile
from experiments.twin.reference import _Run
from experiments.twin.scheduler import Step
from experiments.twin.simulated import Simulated
from gateway.limits import Limits
from gateway.ticket import Ticket


class Planned(NamedTuple):
    due_s: float
    prompt_tokens: int
    output_tokens: int
    think_s: float = 0.0


class Sample(NamedTuple):
    """All of a request that was answered."""

    wait_s: float
    ttft_s: float
    tokens: int
    tpot_s: float


Decide = Callable[[float, Interval, Sequence[Sample]], int]


class Governed(_Run):
    """`decide` is told of every interval of `interval_s` and answers the limit."""

    def __init__(
        self, arrivals: Sequence[Planned], profile: Profile, limits: Limits, interval_s: float, decide: Decide
    ) -> None:
        super().__init__(arrivals, profile, limits, 0, inf)
        self.decide = decide
        self.interval_s = interval_s
        self.control_s = interval_s
        self.began_s = 0.0
        self.gaps, self.gap_s = 0, 0.0
        self.last_end_s = 0.0
        self.answered: list[Answered] = []
        self.firsts: list[First] = []
        self.samples: list[Sample] = []
        self.active_before = self.queue_before = 0.0
        self.path: list[tuple[float, int, float]] = []

    def _next_s(self) -> float:
        next_s = super()._next_s()
        if next_s == inf and not self.admission.active and not self.admission.queued:
            return inf
        return min(next_s, self.control_s)

    def _play(self, now_s: float) -> None:
        if now_s >= self.control_s and super()._next_s() > now_s:
            self._control(now_s)
        else:
            super()._play(now_s)

    def _undisturbed_until_s(self) -> float:
        return min(super()._undisturbed_until_s(), self.control_s)

    def _finish(self, step: Step, count: int, now_s: float) -> None:
        if step.decode:
            self.gaps += count * step.decode
            self.gap_s += step.decode * (now_s - self.last_end_s)
        self.last_end_s = now_s
        for sequence in step.first_tokens:
            i = sequence.owner.owner
            if isnan(self.first_s[i]):
                granted_s = self.granted_s[i]
                ttft_s = now_s + self.egress_s - granted_s
                self.firsts.append(First(granted_s - self.due_s[i], ttft_s))
        super()._finish(step, count, now_s)

    def _end(self, ticket: Ticket, outcome: str, now_s: float) -> None:
        super()._end(ticket, outcome, now_s)
        i: int = ticket.owner  # type: ignore[assignment]
        tokens = self.arrivals[i].output_tokens
        if outcome == "ok" and tokens > 1:
            self.answered.append(Answered(tokens, (now_s - self.first_s[i]) / (tokens - 1)))
            self.samples.append(
                Sample(
                    self.granted_s[i] - self.due_s[i], self.first_s[i] - self.granted_s[i], *self.answered[-1]
                )
            )

    def _control(self, now_s: float) -> None:
        core = self.admission
        core.advance(now_s)
        span_s = now_s - self.began_s
        seen = Interval(
            span_s,
            (core.active_seconds - self.active_before) / span_s,
            (core.queue_seconds - self.queue_before) / span_s,
            self.gaps,
            self.gap_s,
            tuple(self.firsts),
            tuple(self.answered),
        )
        self.active_before, self.queue_before = core.active_seconds, core.queue_seconds
        self.gaps, self.gap_s, self.answered, self.firsts = 0, 0.0, [], []
        self.began_s = now_s
        self.control_s += self.interval_s
        samples, self.samples = self.samples, []
        limit = self.decide(now_s, seen, samples)
        self.path.append((now_s, limit, seen.active))
        if limit != self.limits.max_active:
            self.limits = self.limits.changed(max_active=limit)
            self._dispatch(core.resize(self.limits, now_s).granted, now_s)


def play(
    arrivals: Sequence[Planned], profile: Profile, limits: Limits, interval_s: float, decide: Decide
) -> tuple[Simulated, list[tuple[float, int, float]]]:
    """The run, and the limit and the mean of slots in use at the end of each interval."""
    run = Governed(arrivals, profile, limits, interval_s, decide)
    return run.run(), run.path
