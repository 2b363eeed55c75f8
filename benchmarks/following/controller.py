"""How many slots an engine should have now, from what the gateway saw of it in the last seconds: no I/O, no
clock.

For a few limits near the present one it is worked out how many requests per second would be served within
the objective, and the best of them is where the limit goes:

    J(n) = n / (e(n) + L·s(n)) · share of answers that would be good at n

with n the slots in use, s(n) the seconds between two tokens of a stream, e(n) the seconds from dispatch to
the first token, and L tokens of an answer. s and e are straight lines through what was seen just now; their
slopes are fitted to what was seen at other n in the last minutes, with a prior. The share comes from the
latest answers, each moved along these lines to n.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from math import exp, inf, isnan, nan
from typing import NamedTuple

REMEMBERED_S = 200.0
ANSWERS = 200
ANSWER_AGE_S = 45.0
FIRST_AGE_S = 12.0
SLOPE_AGE_S = 80.0
NEAR = 0.6
LEAST_S = 6.0
STEP = 0.3
TURN, TURN_S = 0.03, 60.0
TOO_MANY_S = 90.0
WORTH = 0.01
RAMP = 0.01
SAME_N = 0.12
SAME_S = 0.05
ODD = 0.25
PRIOR, PRIOR_SD = 0.2, 0.3


class First(NamedTuple):
    """A request whose first token came: seconds it waited for its slot, and from dispatch to that token."""

    wait_s: float
    ttft_s: float


class Answered(NamedTuple):
    """A request whose answer was completed: its tokens (2 or more), and seconds per token after the first."""

    tokens: int
    tpot_s: float


class Interval(NamedTuple):
    """What was seen in `span_s` seconds.

    active, queued: means over the time of slots held and of requests that wait. gaps, gap_s: the gaps
    between two tokens of a stream that ended in it, how many and how long together. firsts, answered: of the
    requests that came so far in it.
    """

    span_s: float
    active: float
    queued: float
    gaps: int
    gap_s: float
    firsts: tuple[First, ...]
    answered: tuple[Answered, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """The bounds of the limit, and the objective in seconds (inf: no bound)."""

    floor: int
    ceiling: int
    ttft_s: float = inf
    tpot_s: float = inf


class _Moment(NamedTuple):
    """An interval, without its requests."""

    span_s: float
    active: float
    gaps: int
    gap_s: float
    firsts: int
    first_s: float


class _Old(NamedTuple):
    """An answer or a first token: when, and what it was at how many slots. `value`: of an answer its seconds
    per token as a ratio to the line, of a first token its TTFT. `more`: tokens, or the wait."""

    at_s: float
    value: float
    active: float
    more: float


class Line(NamedTuple):
    """A straight line through (n, value), by its relative slope there."""

    n: float
    value: float
    slope: float

    def times(self, n: float) -> float:
        """Value at n ÷ value here."""
        return max(0.2, 1 + self.slope * (n / self.n - 1))

    def at(self, n: float) -> float:
        return self.value * self.times(n)


UNKNOWN = Line(1.0, nan, 0.5)


@dataclass(frozen=True, slots=True)
class Following:
    """The limit, and what it is judged by. Begin with `Following(limit)`."""

    limit: int
    now_s: float = 0.0
    moved_s: float = 0.0
    way: int = 0
    too_many: int = 0
    too_many_s: float = -inf
    moments: tuple[_Moment, ...] = ()
    answers: tuple[_Old, ...] = ()
    firsts: tuple[_Old, ...] = ()
    gap: Line = UNKNOWN
    first: Line = UNKNOWN


def follow(before: Following, seen: Interval, rule: Rule) -> Following:
    """The state after one more interval; its `limit` is the one to set."""
    now_s = before.now_s + seen.span_s
    first_s = sum(one.ttft_s for one in seen.firsts)
    moment = _Moment(seen.span_s, seen.active, seen.gaps, seen.gap_s, len(seen.firsts), first_s)
    moments = _recent((*before.moments, moment))
    here = _here(moments)
    if here is None:
        return replace(before, now_s=now_s, moments=moments)
    gap = Line(*here[:2], _gap_slope(moments, here))
    first = _first_line(moments, here, before.first)
    answers = before.answers + tuple(_answer(one, now_s, moments, gap) for one in seen.answered)
    firsts = before.firsts + tuple(_Old(now_s, one.ttft_s, seen.active, one.wait_s) for one in seen.firsts)
    answers, firsts = _young(answers, now_s), _young(firsts, now_s)
    outlook = _Outlook(gap, first, answers, firsts, now_s, rule)
    limit = _best(before, now_s, seen, rule, outlook)
    moved_s = before.moved_s if limit == before.limit else now_s
    way = before.way if limit == before.limit else limit - before.limit
    too_many, too_many_s = before.too_many, before.too_many_s
    if limit < before.limit:
        fresh = now_s - too_many_s < TOO_MANY_S
        too_many, too_many_s = (min(before.limit, too_many) if fresh else before.limit), now_s
    return Following(limit, now_s, moved_s, way, too_many, too_many_s, moments, answers, firsts, gap, first)


class _Here(NamedTuple):
    n: float
    gap_s: float
    streams: float


def _young(old: tuple[_Old, ...], now_s: float) -> tuple[_Old, ...]:
    return tuple(one for one in old[-ANSWERS:] if now_s - one.at_s < 3 * ANSWER_AGE_S)


def _recent(moments: Sequence[_Moment]) -> tuple[_Moment, ...]:
    age_s, keep = 0.0, len(moments)
    while keep and age_s < REMEMBERED_S:
        keep -= 1
        age_s += moments[keep].span_s
    return tuple(moments[keep:])


def _here(moments: Sequence[_Moment]) -> _Here | None:
    """What holds now: of the longest stretch up to now with about the same concurrency and speed."""
    alike: list[_Moment] = []
    for moment in reversed(moments):
        if not moment.gaps or len(alike) * moment.span_s > 60:
            break
        if alike and abs(moment.active - alike[0].active) > max(1.0, SAME_N * alike[0].active):
            break
        alike.append(moment)
    if not alike:
        return None
    count = len(alike)
    while count * alike[0].span_s > LEAST_S:
        third = max(1, count // 3)
        if abs(_mean_gap(alike[:third]) / _mean_gap(alike[:count]) - 1) <= SAME_S:
            break
        count -= max(1, count // 3)
    alike = alike[:count]
    span_s = sum(one.span_s for one in alike)
    n = sum(one.active * one.span_s for one in alike) / span_s
    return _Here(max(n, 0.5), _mean_gap(alike), sum(one.gap_s for one in alike) / span_s)


def _mean_gap(moments: Sequence[_Moment]) -> float:
    return sum(one.gap_s for one in moments) / sum(one.gaps for one in moments)


def _gap_slope(moments: Sequence[_Moment], here: _Here) -> float:
    """Relative change of the gap for one of the concurrency."""
    points = []
    age_s, strange = 0.0, 0
    for one in reversed(moments):
        x = one.active / here.n - 1
        if one.gaps:
            y = one.gap_s / one.gaps / here.gap_s - 1
            strange = 0 if min(0.0, 1.2 * x) - ODD < y < max(0.0, 1.2 * x) + ODD else strange + 1
            if strange == 2:  # before this the engine, or what it is asked for, was another
                break
            if not strange:
                points.append((exp(-age_s / SLOPE_AGE_S - (x / NEAR) ** 2), x, y))
        age_s += one.span_s
    slope, noise = PRIOR, 0.03
    for _ in range(2):
        weak = (noise / PRIOR_SD) ** 2
        sxx = sum(w * x * x for w, x, _ in points)
        sxy = sum(w * x * y for w, x, y in points)
        slope = (weak * PRIOR + sxy) / (weak + sxx)
        total = sum(w for w, _, _ in points)
        left = sum(w * (y - slope * x) ** 2 for w, x, y in points)
        noise = max(0.003, (left / max(total, 1.0)) ** 0.5)
    return min(2.0, max(0.02, slope))


def _first_line(moments: Sequence[_Moment], here: _Here, before: Line) -> Line:
    """Of the seconds to the first token. A slot adds at most what a place in the engine's queue costs."""
    first_s = _recent_first_s(moments)
    if isnan(first_s):
        return before
    sxx, sxy, age_s = 0.1, 0.1 * 0.5, 0.0
    for one in reversed(moments):
        x = one.active / here.n - 1
        if one.firsts:
            weight = exp(-age_s / SLOPE_AGE_S - (x / NEAR) ** 2)
            sxx += weight * x * x
            sxy += weight * x * (one.first_s / one.firsts / first_s - 1)
        age_s += one.span_s
    idle = here.n - here.streams
    most = here.n / max(0.1, idle)
    if idle > max(1.5, 0.15 * here.n):  # they wait for a place in the batch
        return Line(here.n, first_s, most)
    return Line(here.n, first_s, min(most, max(0.0, sxy / sxx)))


def _recent_first_s(moments: Sequence[_Moment]) -> float:
    count, total_s, age_s = 0, 0.0, 0.0
    for one in reversed(moments):
        count += one.firsts
        total_s += one.first_s
        age_s += one.span_s
        if count >= 10 or age_s > 20:
            break
    return total_s / count if count else nan


def _answer(answer: Answered, now_s: float, moments: Sequence[_Moment], gap: Line) -> _Old:
    life_s = answer.tpot_s * (answer.tokens - 1)
    active, span_s = 0.0, 0.0
    for one in reversed(moments):
        active += one.active * one.span_s
        span_s += one.span_s
        if span_s >= life_s:
            break
    n = max(0.5, active / span_s)
    return _Old(now_s, min(3.0, max(0.3, answer.tpot_s / gap.at(n))), n, answer.tokens)


class _Outlook:
    """What is to be expected at other limits."""

    def __init__(
        self,
        gap: Line,
        first: Line,
        answers: Sequence[_Old],
        firsts: Sequence[_Old],
        now_s: float,
        rule: Rule,
    ) -> None:
        self._gap = gap
        self._first = first
        self._rule = rule
        self._answers = [(exp((one.at_s - now_s) / ANSWER_AGE_S), one) for one in answers]
        if len(answers) < 50:
            self._answers += [(2.0, _Old(now_s, ratio, gap.n, 100)) for ratio in (0.96, 1.0, 1.04)]
        self._firsts = [(exp((one.at_s - now_s) / FIRST_AGE_S), one) for one in firsts]
        weight = sum(w for w, _ in self._answers)
        self.tokens = sum(w * one.more for w, one in self._answers) / weight

    def steeper(self) -> _Outlook:
        """The same, where slots cost as much as they may."""
        other = copy(self)
        other._gap = self._gap._replace(slope=max(0.5, self._gap.slope))
        return other

    @property
    def n(self) -> float:
        """Slots in use."""
        return self._gap.n

    @property
    def life_s(self) -> float:
        """Of a request in the engine."""
        return (0.0 if isnan(self._first.value) else self._first.value) + self._gap.value * self.tokens

    def good_per_s(self, n: float) -> float:
        first_s = 0.0 if isnan(self._first.value) else self._first.at(n)
        return n / (first_s + self._gap.at(n) * max(1.0, self.tokens - 1)) * self.share(n)

    def share(self, n: float) -> float:
        """Of answers that would be good."""
        rule, gap_s, slope = self._rule, self._gap.at(n), self._first.slope
        steady = fluent = 1.0
        if rule.tpot_s < inf:
            fluent = _mean([(w, _ramp(rule.tpot_s / (one.value * gap_s))) for w, one in self._answers])
        if rule.ttft_s < inf and self._firsts:
            steady = _mean(
                [
                    (
                        w,
                        _ramp(
                            max(rule.ttft_s - one.more, rule.ttft_s / 4)
                            / (max(1e-4, one.value) * max(0.2, 1 + slope * (n / max(one.active, 0.5) - 1)))
                        ),
                    )
                    for w, one in self._firsts
                ]
            )
        return fluent * steady


def _mean(weighed: Sequence[tuple[float, float]]) -> float:
    return sum(w * value for w, value in weighed) / sum(w for w, _ in weighed)


def _ramp(room: float) -> float:
    """Whether an answer with `room` (bound ÷ value) is good, softened; far beyond, a little of it shows the
    way back."""
    if room >= 1 + RAMP:
        return 1.0
    return max(0.05 * room**8, 0.5 + (room - 1) / (2 * RAMP))


def _best(before: Following, now_s: float, seen: Interval, rule: Rule, outlook: _Outlook) -> int:
    """The limit to set: in great steps where the answer is far away, else slot by slot, and then no faster
    than answers come that tell what the last step did."""
    n, limit = outlook.n, before.limit
    rested_s = now_s - before.moved_s
    drained = seen.active < limit + 0.5
    if not drained or rested_s < max(2.0, min(10.0, outlook.life_s / 4)):
        return limit
    if outlook.share(n) < 0.5:  # more slots make no answer better
        steep = outlook.steeper()
        lower = range(max(rule.floor, int(n / 2)), max(rule.floor, int(n - 0.5)) + 1)
        return min(limit, max(lower, key=steep.good_per_s))
    binds = seen.queued > 0.2 or seen.active > limit - 0.5
    far = min(rule.ceiling, int((1 + STEP) * n) + 1)
    known = far >= before.too_many and now_s - before.too_many_s < TOO_MANY_S
    leaps = binds and far > limit + 1 and not known and outlook.steeper().share(1.1 * far) > 0.9
    if leaps and outlook.good_per_s(far) > outlook.good_per_s(limit):
        return far
    fine = 1 if n < 40 else 2
    tried = range(max(rule.floor, limit - fine), min(rule.ceiling, limit + (fine if binds else 0)) + 1)
    worth = {number: outlook.good_per_s(number) for number in tried}
    best = max(tried, key=lambda number: worth[number])
    turns = (best - limit) * before.way < 0 and rested_s < TURN_S
    return best if worth[best] > (1 + (TURN if turns else WORTH)) * worth[limit] else limit
