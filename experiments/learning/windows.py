"""What each recorded answer says about the engine's steps, as rows of the fit.

Nobody recorded the single chunks, and they are not needed. An answer of n tokens saw n − 1 steps between its
first token and its last; how long these took together is known to the microsecond, and what else was in them
follows from the other rows: who else decoded meanwhile, whose prompt was computed, how much context was read.
That is a *window* of `calibration.fit`. Tokens of others are spread evenly over their own answers, which a
window of many steps hardly notices.

What a request costs outside the steps is told by first tokens: one that no other prompt met waits for half of
the running step, then for the step over its own prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.calibration.fit import FitRow
from experiments.learning.production import Flags, Floats, Production

LEAST_STEPS = 8
"""Of a window; in shorter ones the spread of the others' tokens counts."""
SAME_STEP = 0.25
"""First tokens within this part of a step are of the same one."""
MOST_ROWS = 3000
"""Windows that are fitted, evenly over the time: more say nothing new."""
AT_ONCE_S = 0.002
"""Who got a slot within this time did not wait for it."""
MOST_FIRST = 400
"""First tokens that are fitted."""
QUIET = 0.3
"""First tokens are taken from the requests that met the least company: this part of those that fit."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Of a recording: windows (in order of their begin, `at_s`) and first tokens, as the fit takes them."""

    windows: list[FitRow]
    at_s: Floats
    first: list[FitRow]


class Company:
    """Who was on the engine, as sums over time: tokens decoded, context read, prompts computed."""

    def __init__(self, production: Production) -> None:
        ran = production.where(production.running)
        length_s = np.maximum(ran.last_s - ran.first_s, 1e-9)
        decodes = (ran.output_tokens > 1) & (ran.last_s > ran.first_s)
        rate = np.where(decodes, (ran.output_tokens - 1) / length_s, 0.0)
        ones = decodes.astype(float)
        start = rate * (ran.prompt_tokens - rate * ran.first_s)
        steps = np.column_stack([rate, start, rate**2, ones])[decodes]
        times_s = np.concatenate([ran.first_s[decodes], ran.last_s[decodes]])
        order = np.argsort(times_s, kind="stable")
        self._times_s = times_s[order]
        self._levels = np.cumsum(np.concatenate([steps, -steps])[order], axis=0)
        gaps_s = np.diff(self._times_s)
        half = (self._times_s[1:] ** 2 - self._times_s[:-1] ** 2) / 2
        tokens, base, slope, count = self._levels[:-1].T
        own = np.divide(tokens, count, out=np.zeros(len(count)), where=count > 0.5)
        self._clock = np.concatenate([[0.0], np.cumsum(own * gaps_s)])
        self._tokens = np.concatenate([[0.0], np.cumsum(tokens * gaps_s)])
        self._context = np.concatenate([[0.0], np.cumsum(base * gaps_s + slope * half)])
        by_first = np.argsort(ran.first_s, kind="stable")
        self._first_s = ran.first_s[by_first]
        prompts = ran.prompt_tokens[by_first].astype(float)
        self._prompts = np.concatenate([[0.0], np.cumsum(prompts)])
        self._pairs = np.concatenate([[0.0], np.cumsum(prompts**2 / 2)])
        step_s = 1 / float(np.median(rate[decodes])) if decodes.any() else 0.0
        own_step = np.diff(self._first_s, prepend=-np.inf) > SAME_STEP * step_s
        self._steps = np.concatenate([[0.0], np.cumsum(own_step)])
        self._granted_s = np.sort(ran.granted_s)

    def between(self, begin_s: Floats, end_s: Floats) -> tuple[Floats, Floats]:
        """Tokens decoded, and context tokens read, in a step of spans of time (k,) each: means.

        Who decoded all along had a token in every step, and nobody's steps are longer than another's: so what
        the even spread over each answer gets wrong is mostly the same in tokens and in steps, and cancels.
        """
        tokens, context, steps = (
            np.interp(end_s, self._times_s, sums) - np.interp(begin_s, self._times_s, sums)
            for sums in (self._tokens, self._context, self._clock)
        )
        return tokens / steps, context / steps

    def prompts(self, begin_s: Floats, end_s: Floats) -> tuple[Floats, Floats, Floats]:
        """Prompts completed in (begin, end], (k,): the steps that completed some, their tokens and pairs."""
        here = np.searchsorted(self._first_s, np.array([begin_s, end_s]), side="right")
        steps, tokens, pairs = (
            sums[here[1]] - sums[here[0]] for sums in (self._steps, self._prompts, self._pairs)
        )
        return steps, tokens, pairs

    def decoding(self, at_s: Floats) -> tuple[Floats, Floats]:
        """Sequences that decode at these moments (k,), and how many tokens their contexts have."""
        place = np.searchsorted(self._times_s, at_s, side="right") - 1
        rate, base, slope, count = self._levels[np.maximum(place, 0)].T
        inside = (place >= 0) & (count > 0.5)
        count = np.where(inside, np.rint(count), 0.0)
        # Mean context of a sequence, weighted by rates that differ little, times the sequences.
        context = np.divide(base + slope * at_s, rate, out=np.zeros(len(at_s)), where=inside & (rate > 0))
        return count, context * count

    def dispatched(self, begin_s: Floats, end_s: Floats) -> Floats:
        """Requests that got their slot in [begin, end), (k,)."""
        here = np.searchsorted(self._granted_s, np.array([begin_s, end_s]), side="left")
        found: Floats = (here[1] - here[0]).astype(float)
        return found


def rows_of(production: Production) -> Rows:
    """The windows and first tokens that the recording holds, at most `MOST_ROWS` and `MOST_FIRST`."""
    company = Company(production)
    timed = production.where(production.timed)
    long = timed.where((timed.output_tokens > LEAST_STEPS) & (timed.last_s > timed.first_s))
    long = long.where(_spread(np.argsort(long.first_s, kind="stable"), MOST_ROWS))
    return Rows(_windows(company, long), long.first_s, _first_tokens(company, timed))


def _windows(company: Company, answers: Production) -> list[FitRow]:
    decoded, context = company.between(answers.first_s, answers.last_s)
    prompts, tokens, pairs = company.prompts(answers.first_s, answers.last_s)
    steps = answers.output_tokens - 1.0
    columns = (
        *(answers.last_s - answers.first_s, steps),
        *(steps * decoded, tokens, steps * context + tokens, prompts, pairs),
    )
    return [
        FitRow(seconds, steps, out, prompt, read, prompts=count, pairs=pair)
        for seconds, steps, out, prompt, read, count, pair in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]


def _first_tokens(company: Company, answers: Production) -> list[FitRow]:
    others, _, _ = company.prompts(answers.granted_s, answers.first_s)
    alone = (others == 1) & (company.dispatched(answers.granted_s, answers.first_s) <= 1)
    # From the queue a slot comes when a step has ended, and the next has begun: that wait is a whole step.
    at_once = answers.granted_s - answers.arrival_s < AT_ONCE_S
    found = answers.where(alone & at_once & (answers.first_s > answers.granted_s))
    if not len(found):
        return []
    running, context = company.decoding(found.granted_s)
    few: Flags = running <= np.quantile(running, QUIET)
    chosen = _spread(np.flatnonzero(few), MOST_FIRST)
    return [
        _first(seconds, int(prompt), beside, read)
        for seconds, prompt, beside, read in zip(
            (found.first_s - found.granted_s)[chosen].tolist(),
            found.prompt_tokens[chosen].tolist(),
            running[chosen].tolist(),
            context[chosen].tolist(),
            strict=True,
        )
    ]


def _first(seconds: float, prompt: int, running: float, context: float) -> FitRow:
    """Half of the step that runs, if one does, and the one over the prompt."""
    steps = 1.5 if running else 1.0
    return FitRow(
        seconds, steps, steps * running, prompt, steps * context + prompt,
        prompts=1.0, alone=1.0, pairs=prompt * prompt / 2,
    )  # fmt: skip


def _spread(
    places: np.ndarray[tuple[int], np.dtype[np.int64]], most: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """At most so many of them, evenly."""
    if len(places) <= most:
        return places
    return places[np.linspace(0, len(places) - 1, most).astype(np.int64)]
